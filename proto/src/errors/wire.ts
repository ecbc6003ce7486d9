import { HEADERS } from "../headers.ts";
import { MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { CmdopError } from "./cmdop-error.ts";
import { STATUS } from "./status.ts";
import { CODE_OF_BARE_STATUS, type ErrorCode, isErrorCode } from "./table.ts";

/** A header block as Node has it. */
export type ReceivedHeaders = Readonly<Record<string, unknown>>;

/**
 * An error as the trailers of a gRPC response, ready for a header block:
 * everything is percent-encoded and bounded, so that no error text, however it
 * came about, can break the connection that it travels on.
 */
export function errorTrailers(error: CmdopError): Record<string, string> {
  return {
    "grpc-status": String(error.status),
    // encodeURI leaves readable what may be; whoever decodes takes back each %xx.
    "grpc-message": encodeURI(bounded(error.message)),
    [HEADERS.error]: error.code,
    [HEADERS.next]: encodeURIComponent(bounded(error.next)),
  };
}

/** The trailers of an answer that is as it should be. */
export const OK_TRAILERS: Readonly<Record<string, string>> = { "grpc-status": String(STATUS.OK) };

/** The status that a header block brings; undefined where it has none. */
export function statusIn(headers: ReceivedHeaders): number | undefined {
  const value = text(headers, "grpc-status");
  return value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : undefined;
}

/**
 * The error that trailers tell of, as the CmdopError that the other side threw.
 * `canceledHere`: whether this side ended the call; a bare CANCELLED that it did
 * not ask for is a connection that broke.
 */
export function errorOfTrailers(trailers: ReceivedHeaders, canceledHere: boolean): CmdopError {
  const named = text(trailers, HEADERS.error);
  const status = statusIn(trailers) ?? STATUS.UNKNOWN;
  const code = named !== undefined && isErrorCode(named) ? named : bareCode(status, canceledHere);
  const next = text(trailers, HEADERS.next);
  const message = decoded(text(trailers, "grpc-message") ?? `It ended with status ${status}.`);
  return new CmdopError(code, message, { next: next === undefined ? undefined : decoded(next) });
}

function bareCode(status: number, canceledHere: boolean): ErrorCode {
  if (status === STATUS.CANCELLED && !canceledHere) return "LinkLost";
  return CODE_OF_BARE_STATUS[status] ?? "Internal";
}

function bounded(message: string): string {
  const bytes = Buffer.from(message.toWellFormed());
  if (bytes.length <= MAX_STATUS_MESSAGE_BYTES) return bytes.toString();
  // Cutting inside a character leaves a replacement character, which is harmless here.
  return `${bytes.subarray(0, MAX_STATUS_MESSAGE_BYTES).toString()}…`;
}

function text(headers: ReceivedHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    // A peer that does not encode its trailers is still worth reading.
    if (error instanceof URIError) return value;
    throw error;
  }
}
