import { occurrences } from "./occurrences.ts";

const LF = 0x0a;
const CR = 0x0d;

const LF_END = Buffer.from("\n");
const CRLF_END = Buffer.from("\r\n");
const CR_END = Buffer.from("\r");

const NO_ENDS: readonly Uint8Array[] = [];

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
  let from = 0;
  let length = 0;
  for (let at = bytes.indexOf(CR); at !== -1; at = bytes.indexOf(CR, from)) {
    const end = endAt(bytes, at, isMac);
    text.set(bytes.subarray(from, at), length);
    length += at - from;
    text[length++] = end === undefined ? CR : LF;
    from = at + (end?.length ?? 1);
  }
  text.set(bytes.subarray(from), length);
  return text.subarray(0, length + bytes.length - from);
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
  const isOfLines = needle.includes(LF);
  const way = new WayBack(bytes, isMac);
  for await (const at of occurrences(folded(bytes, isMac), needle, signal)) {
    const start = way.goTo(at);
    const end = way.goTo(at + needle.length);
    const own = isOfLines ? endsOf(bytes.subarray(start, end), isMac) : NO_ENDS;
    const last = own.at(-1) ?? way.lineEnd();
    yield { start, end, lineEnd: (nth) => own[nth] ?? last };
  }
}

/** The ends of line in a text. */
function endsOf(bytes: Uint8Array, isMac: boolean): Uint8Array[] {
  return linesOf(bytes, isMac).flatMap(({ end }) => (end.length === 0 ? [] : [end]));
}

/** The way from folded text back to the bytes that it was; only forward, so that all of it is gone through once. */
class WayBack {
  readonly #bytes: Uint8Array;
  readonly #isMac: boolean;
  #at = 0;
  #folded = 0;
  /** The first end of line behind where it was looked for last, or else the last of all. */
  #end: { readonly at: number; readonly bytes: Uint8Array | undefined } | undefined;

  constructor(bytes: Uint8Array, isMac: boolean) {
    this.#bytes = bytes;
    this.#isMac = isMac;
  }

  /** Where a byte of the folded text was. */
  goTo(folded: number): number {
    while (this.#folded < folded) {
      const cr = this.#bytes.indexOf(CR, this.#at);
      const plain = cr === -1 ? folded - this.#folded : Math.min(cr - this.#at, folded - this.#folded);
      this.#at += plain;
      this.#folded += plain;
      if (this.#folded === folded) break;
      this.#at += endAt(this.#bytes, this.#at, this.#isMac)?.length ?? 1;
      this.#folded += 1;
    }
    return this.#at;
  }

  /** What ends the line that the way has come to; of a last line that nothing ends, the line before. */
  lineEnd(): Uint8Array | undefined {
    if (this.#end === undefined || this.#end.at < this.#at) this.#end = this.#find();
    return this.#end.bytes;
  }

  #find(): { at: number; bytes: Uint8Array | undefined } {
    const mark = this.#isMac ? CR : LF;
    const next = this.#bytes.indexOf(mark, this.#at);
    const found = next === -1 ? this.#bytes.lastIndexOf(mark) : next;
    const at = next === -1 ? Number.POSITIVE_INFINITY : next;
    if (found === -1) return { at, bytes: undefined };
    if (this.#isMac) return { at, bytes: CR_END };
    return { at, bytes: this.#bytes[found - 1] === CR ? CRLF_END : LF_END };
  }
}

function endAt(bytes: Uint8Array, at: number, isMac: boolean): Uint8Array | undefined {
  const byte = bytes[at];
  if (byte === LF) return LF_END;
  if (byte !== CR) return undefined;
  if (bytes[at + 1] === LF) return CRLF_END;
  return isMac ? CR_END : undefined;
}
