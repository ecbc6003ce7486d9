import type { ServerHttp2Stream } from "node:http2";
import { type CmdopError, errorTrailers, stopReceiving } from "@cmdop/proto";

/** Refuses a call that has no answer yet: status and headers in one block, and the caller need not send more. */
export function answerError(stream: ServerHttp2Stream, error: CmdopError): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto", ...errorTrailers(error) },
    { endStream: true },
  );
  stopReceiving(stream);
}
