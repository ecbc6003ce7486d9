import type { Http2Stream } from "node:http2";
import { onAbort } from "@cmdop/kit";
import { MIN_UNCOPIED_BYTES } from "./codec.ts";
import { drained } from "./drained.ts";

/**
 * Sends a message at the pace of whoever reads it; resolves when the next may
 * come. What is not copied is out of our hands by then, and its memory may be
 * used again.
 */
export async function sendFrame(stream: Http2Stream, pieces: Buffer[], signal: AbortSignal): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  const isUncopied = (pieces.at(-1)?.length ?? 0) >= MIN_UNCOPIED_BYTES;
  if (isUncopied) await written(stream, pieces, signal);
  else if (!write(stream, pieces)) await drained(stream, signal);
}

/** Puts the pieces of one message on the stream, together; false when the next should wait. */
function write(stream: Http2Stream, pieces: Buffer[], onGone?: () => void): boolean {
  let more = true;
  stream.cork();
  for (const piece of pieces.slice(0, -1)) stream.write(piece);
  more = stream.write(pieces.at(-1), onGone);
  stream.uncork();
  return more;
}

/** Resolves when all of it has been sent, or will never be. However much a stream buffers, nothing of it waits there then. */
function written(stream: Http2Stream, pieces: Buffer[], signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stopListening = onAbort(signal, resolve);
  stream.once("close", resolve);
  write(stream, pieces, resolve);
  return promise.finally(() => {
    stopListening();
    stream.off("close", resolve);
  });
}
