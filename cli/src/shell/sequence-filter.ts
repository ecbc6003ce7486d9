/**
 * Longest control sequence, in bytes. A longer one is treated as plain text: real ones are shorter, and one
 * without an end must not be held back for ever.
 */
export const MAX_SEQUENCE_BYTES = 4096;

const ENQ = 0x05;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const ESC = 0x1b;
const BACKSLASH = 0x5c;

/** The decision on a control sequence. */
export type Verdict = "keep" | "drop";

/**
 * A filter of a terminal's output. `judge` sees each control sequence whole and may drop it; the rest passes
 * unchanged. The result is the same for any division of the output into pieces. It never ends inside a
 * sequence or a character, so that a notice can be written after it.
 */
export class SequenceFilter {
  #held: Uint8Array = new Uint8Array();

  /** Filters the next bytes of output; an incomplete end waits for the next call. */
  push(chunk: Uint8Array, judge: (sequence: Uint8Array) => Verdict): Uint8Array {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const kept: Uint8Array[] = [];
    let keptUpTo = 0;
    let at = nextSequence(bytes, 0);
    while (at < bytes.length) {
      const end = sequenceEnd(bytes, at);
      if (end === undefined) break;
      if (end > at && judge(bytes.subarray(at, end)) === "drop") {
        kept.push(bytes.subarray(keptUpTo, at));
        keptUpTo = end;
      }
      at = nextSequence(bytes, Math.max(end, at + 1));
    }
    const complete = at < bytes.length ? at : keptUpTo + wholeCharacters(bytes.subarray(keptUpTo));
    kept.push(bytes.subarray(keptUpTo, complete));
    this.#held = bytes.slice(complete);
    return kept.length === 1 && kept[0] !== undefined ? kept[0] : Buffer.concat(kept);
  }

  /** Returns the incomplete rest when the output has ended. */
  flush(): Uint8Array {
    const rest = this.#held;
    this.#held = new Uint8Array();
    return rest;
  }
}

/**
 * Returns the index of the next control sequence, or the length. ENQ, which terminals answer, is one by
 * itself.
 */
function nextSequence(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === ESC || bytes[at] === ENQ) return at;
  }
  return bytes.length;
}

/**
 * Returns the index behind the sequence at `start`; `start` itself if it is none; undefined if more bytes are
 * needed.
 */
function sequenceEnd(bytes: Uint8Array, start: number): number | undefined {
  if (bytes[start] === ENQ) return start + 1;
  const limit = Math.min(bytes.length, start + MAX_SEQUENCE_BYTES);
  const end = endBefore(bytes, start, limit);
  if (end !== undefined) return end;
  return limit === bytes.length && limit - start < MAX_SEQUENCE_BYTES ? undefined : start;
}

function endBefore(bytes: Uint8Array, start: number, limit: number): number | undefined {
  const introducer = start + 1 < limit ? bytes[start + 1] : undefined;
  switch (introducer) {
    case undefined:
      return undefined;
    case 0x5b: // [, a control sequence
      return controlEnd(bytes, start + 2, limit);
    case 0x5d: // ], an operating system command, which BEL may end
      return stringEnd(bytes, start + 2, limit, true);
    case 0x50: // P, a device control string
    case 0x58: // X, ^ and _: strings for nobody in particular
    case 0x5e:
    case 0x5f:
      return stringEnd(bytes, start + 2, limit, false);
  }
  return plainEnd(bytes, start + 1, limit);
}

/** Finds the end of ESC, intermediates, final, such as a character set or a saved cursor. */
function plainEnd(bytes: Uint8Array, from: number, limit: number): number | undefined {
  for (let at = from; at < limit; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x7e) return at + 1;
    if (byte < 0x20 || byte > 0x2f) return at;
  }
  return undefined;
}

/**
 * Finds the end of parameters, intermediates, final. Terminals obey control characters in between and go on.
 */
function controlEnd(bytes: Uint8Array, from: number, limit: number): number | undefined {
  for (let at = from; at < limit; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === ESC || byte >= 0x7f) return at;
    if (byte === CAN || byte === SUB || byte >= 0x40) return at + 1;
  }
  return undefined;
}

/** Finds the end of a string at its terminator; another ESC abandons the string. */
function stringEnd(bytes: Uint8Array, from: number, limit: number, bellEnds: boolean): number | undefined {
  for (let at = from; at < limit; at++) {
    const byte = bytes[at];
    if (byte === CAN || byte === SUB || (bellEnds && byte === BEL)) return at + 1;
    if (byte !== ESC) continue;
    if (at + 1 >= limit) return undefined;
    return bytes[at + 1] === BACKSLASH ? at + 2 : at;
  }
  return undefined;
}

/** Returns the length of the text without an unfinished UTF-8 character at its end. */
function wholeCharacters(text: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, text.length); back++) {
    const byte = text[text.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needs =
      byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc0 && byte < 0xe0 ? 2 : 1;
    return needs > back ? text.length - back : text.length;
  }
  return text.length;
}
