import type { Http2Stream } from "node:http2";
import { drained } from "./drained.ts";

/** Sends messages at the pace of whoever reads them; resolves when the next may come. */
export async function sendFrame(stream: Http2Stream, pieces: Buffer[], signal: AbortSignal): Promise<void> {
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
