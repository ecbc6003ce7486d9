import { constants, type ServerHttp2Stream } from "node:http2";
import { type CmdopError, errorTrailers } from "@cmdop/proto";

/** Refuses a call that has no answer yet: status and headers in one block, and the caller need not send more. */
export function answerError(stream: ServerHttp2Stream, error: CmdopError): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto", ...errorTrailers(error) },
    { endStream: true },
  );
  stopReceiving(stream);
}

/**
 * Tells a caller whose answer is complete to stop sending, and drops what it
 * sent in vain. A moment later, since most callers have finished already and
 * their own end is just on its way: then no reset is needed, on either leg.
 */
export function stopReceiving(stream: ServerHttp2Stream): void {
  setImmediate(() => {
    if (stream.readableEnded || stream.closed || stream.destroyed) return;
    stream.removeAllListeners("data");
    stream.resume();
    stream.close(constants.NGHTTP2_NO_ERROR);
  });
}
