import type { IncomingHttpHeaders } from "node:http2";
import { CODE_OF_BARE_STATUS, HEADERS, isErrorCode } from "@cmdop/proto";
import type { CallCode } from "./recorder.ts";

/** How a call ended by the trailers of its answer (by the headers, where the answer is those alone), as its caller will read them. */
export function callCode(trailers: IncomingHttpHeaders): CallCode {
  const status = trailers["grpc-status"];
  if (status === "0") return "Ok";
  const named = trailers[HEADERS.error];
  if (typeof named === "string" && isErrorCode(named)) return named;
  return CODE_OF_BARE_STATUS[Number(status)] ?? "Internal";
}
