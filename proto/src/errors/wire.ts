import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { HEADERS } from "../headers.ts";
import { MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { CmdopError } from "./cmdop-error.ts";
import { CODE_OF_BARE_STATUS, type ErrorCode, isErrorCode } from "./table.ts";

/**
 * An error as the trailers of a gRPC response, ready for a header block:
 * everything is percent-encoded and bounded, so that no error text, however it
 * came about, can break the connection that it travels on.
 */
export function errorTrailers(error: CmdopError): Record<string, string> {
  return {
    "grpc-status": String(error.status),
    // encodeURI, as grpc-js does: its clients decode with decodeURI, which leaves %2F and its like alone.
    "grpc-message": encodeURI(bounded(error.message)),
    [HEADERS.error]: error.code,
    [HEADERS.next]: encodeURIComponent(bounded(error.next)),
  };
}

/** An error as the status that a grpc-js server sends. grpc-js percent-encodes `details` itself. */
export function toStatus(thrown: unknown): Pick<StatusObject, "code" | "details" | "metadata"> {
  const error = CmdopError.from(thrown);
  const metadata = new Metadata();
  metadata.set(HEADERS.error, error.code);
  metadata.set(HEADERS.next, encodeURIComponent(bounded(error.next)));
  return { code: error.status, details: bounded(error.message), metadata };
}

/**
 * The error that a grpc-js client received, as the CmdopError that the other
 * side threw. `canceledHere`: whether this side ended the call; a bare CANCELLED
 * that it did not ask for is a connection that broke.
 */
export function fromServiceError(received: ServiceError, canceledHere: boolean): CmdopError {
  const named = text(received.metadata, HEADERS.error);
  const code = named !== undefined && isErrorCode(named) ? named : bareCode(received.code, canceledHere);
  const next = text(received.metadata, HEADERS.next);
  return new CmdopError(code, received.details, {
    next: next === undefined ? undefined : decoded(next),
    cause: received,
  });
}

function bareCode(code: number, canceledHere: boolean): ErrorCode {
  if (code === status.CANCELLED && !canceledHere) return "LinkLost";
  return CODE_OF_BARE_STATUS[code] ?? "Internal";
}

/** Whether a thrown thing is what a grpc-js client throws. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown && "metadata" in thrown;
}

function bounded(message: string): string {
  const bytes = Buffer.from(message.toWellFormed());
  if (bytes.length <= MAX_STATUS_MESSAGE_BYTES) return bytes.toString();
  // Cutting inside a character leaves a replacement character, which is harmless here.
  return `${bytes.subarray(0, MAX_STATUS_MESSAGE_BYTES).toString()}…`;
}

function text(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
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
