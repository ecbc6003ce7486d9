import { setImmediate as nextTurn } from "node:timers/promises";

/** Bytes that are looked at before others get a turn: a millisecond or so. */
const SLICE_BYTES = 1024 * 1024;

/**
 * Tells where a needle begins in a text, each occurrence behind the end of the
 * one before. Knuth, Morris and Pratt: at most twice as many comparisons as both
 * have bytes, whatever they are; Node's own search takes as many as their product
 * for a needle that repeats itself. Gives others a turn now and then, and ends
 * when the signal aborts.
 */
export async function* occurrences(
  text: Uint8Array,
  needle: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<number> {
  const borders = bordersOf(needle);
  let matched = 0;
  for (let from = 0; from < text.length; from += SLICE_BYTES) {
    if (signal.aborted) return;
    const end = Math.min(text.length, from + SLICE_BYTES);
    for (let at = from; at < end; at++) {
      const byte = text[at];
      while (matched > 0 && needle[matched] !== byte) matched = borders[matched - 1] ?? 0;
      if (needle[matched] === byte) matched += 1;
      if (matched < needle.length) continue;
      matched = 0;
      yield at + 1 - needle.length;
    }
    await nextTurn();
  }
}

/** Of each beginning of a needle: how long the longest is that it begins and ends with, beside itself. */
function bordersOf(needle: Uint8Array): Int32Array {
  const borders = new Int32Array(needle.length);
  let length = 0;
  for (let at = 1; at < needle.length; at++) {
    while (length > 0 && needle[length] !== needle[at]) length = borders[length - 1] ?? 0;
    if (needle[length] === needle[at]) length += 1;
    borders[at] = length;
  }
  return borders;
}
