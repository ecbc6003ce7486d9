import type { Readable } from "node:stream";

/** What a piece costs beside its bytes: measured as 195 for pieces of one byte, in Node 24.21. */
const PIECE_BYTES = 256;

/**
 * Memory that a stream takes for what nobody has read yet, in bytes. Content
 * waits in the pieces that it came in, and who sends it a byte at a time makes us
 * hold two hundred for each. Node has no public word for how many pieces there
 * are, so private fields are used, here and nowhere else; unread.test.ts fails
 * when they change. Where they are missing, only the content is counted.
 */
export function unreadBytes(stream: Readable): number {
  return stream.readableLength === 0 ? 0 : stream.readableLength + pieces(stream) * PIECE_BYTES;
}

function pieces(stream: Readable): number {
  const state: unknown = Reflect.get(stream, "_readableState");
  if (typeof state !== "object" || state === null) return 0;
  const buffer: unknown = Reflect.get(state, "buffer");
  const taken: unknown = Reflect.get(state, "bufferIndex");
  if (!Array.isArray(buffer)) return 0;
  return buffer.length - (typeof taken === "number" ? taken : 0);
}
