import type { Http2Stream } from "node:http2";
import { drained } from "./drained.ts";

/**
 * Sends a message at the pace of whoever reads it; resolves when the next may
 * come. What is not copied is out of our hands by then, and its memory may be
 * used again.
 */
export async function sendFrame(stream: Http2Stream, pieces: Buffer[], signal: AbortSignal): Promise<void> {
  // A stream that takes more than it buffers says "drain" only when all of it has gone.
  if (!write(stream, pieces)) await drained(stream, signal);
}

/** Puts the pieces of one message on the stream, together; false when the next should wait. */
function write(stream: Http2Stream, pieces: Buffer[]): boolean {
  if (stream.destroyed || stream.writableEnded) return false;
  let more = true;
  stream.cork();
  for (const piece of pieces) more = stream.write(piece);
  stream.uncork();
  return more;
}
