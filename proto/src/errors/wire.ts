import { HEADERS } from "../headers.ts";
import { MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { CmdopError } from "./cmdop-error.ts";
import { STATUS } from "./status.ts";
import { CODE_OF_BARE_STATUS, type ErrorCode, isErrorCode } from "./table.ts";

/** A header block as received by Node. */
export type ReceivedHeaders = Readonly<Record<string, unknown>>;

/**
 * Converts an error to the trailers of a gRPC response. All text is percent-encoded and bounded, so that no
 * error text, wherever it comes from, can break the connection that carries it.
 */
export function errorTrailers(error: CmdopError): Record<string, string> {
  return {
    "grpc-status": String(error.status),
    // encodeURI keeps most characters readable; decoders reverse each %xx.
    "grpc-message": encodeURI(bounded(error.message)),
    [HEADERS.error]: error.code,
    [HEADERS.next]: encodeURIComponent(bounded(error.next)),
  };
}

/** Trailers of a successful answer. */
export const OK_TRAILERS: Readonly<Record<string, string>> = { "grpc-status": String(STATUS.OK) };

/** Returns the status in a header block; undefined if it has none. */
export function statusIn(headers: ReceivedHeaders): number | undefined {
  const value = text(headers, "grpc-status");
  return value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : undefined;
}

/**
 * Converts trailers to the CmdopError that the other side threw. `canceledHere`: true if this side ended the
 * call; a bare CANCELLED that it did not request means that the connection broke.
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
    // A peer may send its trailers unencoded; their text is used as it is.
    if (error instanceof URIError) return value;
    throw error;
  }
}
