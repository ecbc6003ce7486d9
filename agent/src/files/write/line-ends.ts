import { occurrences } from "./occurrences.ts";

const LF = 0x0a;
const CR = 0x0d;

const LF_END = Buffer.from("\n");
const CRLF_END = Buffer.from("\r\n");
const CR_END = Buffer.from("\r");

/** One place where a text stands. */
export interface Match {
  /** In the bytes as they are. */
  readonly start: number;
  readonly end: number;
  /** What ends the nth line of what takes its place; undefined: what that says itself. */
  lineEnd(nth: number): Uint8Array | undefined;
}

/** A line, and what ends it; nothing ends the last. */
export interface Line {
  readonly text: Uint8Array;
  readonly end: Uint8Array;
}

/** Whether lines end with CR alone, as on old Macs: only where no LF ends any. Elsewhere CR alone is a byte like any other. */
export function endsWithCr(bytes: Uint8Array): boolean {
  return bytes.includes(CR) && !bytes.includes(LF);
}

/** Whether a text has a CR that is no part of an end of line. */
export function hasLoneCr(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(CR); at !== -1; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] !== LF) return true;
  }
  return false;
}

/** Bytes with every end of line as LF. */
export function folded(bytes: Uint8Array, isMac: boolean): Uint8Array {
  if (!bytes.includes(CR)) return bytes;
  const text = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = endAt(bytes, at, isMac);
    text[length++] = end === undefined ? (bytes[at] ?? 0) : LF;
    at += end?.length ?? 1;
  }
  return text.subarray(0, length);
}

/** The lines of a text, one more than it has ends of line. */
export function linesOf(bytes: Uint8Array, isMac: boolean): Line[] {
  const lines: Line[] = [];
  let begin = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = endAt(bytes, at, isMac);
    if (end !== undefined) {
      lines.push({ text: bytes.subarray(begin, at), end });
      begin = at + end.length;
    }
    at += end?.length ?? 1;
  }
  lines.push({ text: bytes.subarray(begin), end: new Uint8Array() });
  return lines;
}

/** Where the very bytes of a text stand. */
export async function* exactMatches(
  bytes: Uint8Array,
  old: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Match> {
  for await (const start of occurrences(bytes, old, signal)) {
    yield { start, end: start + old.length, lineEnd: () => undefined };
  }
}

/**
 * Where a text stands in some bytes, whatever ends the lines of either. What
 * takes its place gets the ends of line that stood there; its further lines the
 * last of them, or where there is none, the one that ends the line it is in.
 */
export async function* lineMatches(
  bytes: Uint8Array,
  old: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Match> {
  const isMac = endsWithCr(bytes);
  const needle = folded(old, isMac);
  const way = new WayBack(bytes, isMac);
  for await (const at of occurrences(folded(bytes, isMac), needle, signal)) {
    const start = way.goTo(at);
    const own: Uint8Array[] = [];
    const end = way.goTo(at + needle.length, own);
    const last = own.at(-1) ?? way.lineEnd();
    yield { start, end, lineEnd: (nth) => own[nth] ?? last };
  }
}

/** The way from folded text back to the bytes that it was; only forward, so that all of it is gone through once. */
class WayBack {
  readonly #bytes: Uint8Array;
  readonly #isMac: boolean;
  #at = 0;
  #folded = 0;
  #last: Uint8Array | undefined;
  /** The first end behind where it was looked for last. */
  #next: { readonly at: number; readonly end: Uint8Array | undefined } | undefined;

  constructor(bytes: Uint8Array, isMac: boolean) {
    this.#bytes = bytes;
    this.#isMac = isMac;
  }

  /** Where a byte of the folded text was; the ends of line on the way are put into `passed`. */
  goTo(folded: number, passed?: Uint8Array[]): number {
    while (this.#folded < folded) {
      const end = endAt(this.#bytes, this.#at, this.#isMac);
      if (end !== undefined) {
        this.#last = end;
        passed?.push(end);
      }
      this.#at += end?.length ?? 1;
      this.#folded += 1;
    }
    return this.#at;
  }

  /** What ends the line that the way has come to; of the last line, which nothing ends, the line before. */
  lineEnd(): Uint8Array | undefined {
    if (this.#next === undefined || this.#next.at < this.#at) this.#next = this.#find();
    return this.#next.end ?? this.#last;
  }

  #find(): { at: number; end: Uint8Array | undefined } {
    for (let at = this.#at; at < this.#bytes.length; at++) {
      const end = endAt(this.#bytes, at, this.#isMac);
      if (end !== undefined) return { at, end };
    }
    return { at: this.#bytes.length, end: undefined };
  }
}

function endAt(bytes: Uint8Array, at: number, isMac: boolean): Uint8Array | undefined {
  const byte = bytes[at];
  if (byte === LF) return LF_END;
  if (byte !== CR) return undefined;
  if (bytes[at + 1] === LF) return CRLF_END;
  return isMac ? CR_END : undefined;
}
