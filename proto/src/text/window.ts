import { DETECT_BYTES, type Detected, detectText } from "./detect.ts";
import { characterBytes, type TextEncodingName, TWO_BYTE_ENCODINGS } from "./encodings.ts";
import { cutBytes, type Readable, readable } from "./readable.ts";

/** Reads up to `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** A part of a file. */
export interface ByteWindow {
  readonly bytes: Uint8Array;
  /**
   * Offset of the first byte in the file; in text, slightly after the requested one if that was inside a
   * character.
   */
  readonly offset: number;
  /** Offset of the rest; null at the end of the file. */
  readonly nextOffset: number | null;
}

/** A part of a text file, in readable form. */
export interface TextWindow extends ByteWindow, Readable {
  readonly encoding: TextEncodingName;
}

/** Bytes before an offset that show if it lies inside a character. */
const LOOK_BACK_BYTES = 256;

/** Longest character of all encodings, in bytes. */
const MAX_CHARACTER_BYTES = 4;

/** Largest share of strays in a part of a text, whatever the file begins with. */
const MAX_STRAYS = 0.3;

/**
 * A file whose beginning has been examined. It knows the kind of content, and reads no byte of the beginning
 * twice.
 */
export class OpenedText {
  readonly detected: Detected;
  readonly #readAt: ReadAt;
  readonly #head: Uint8Array;

  private constructor(readAt: ReadAt, head: Uint8Array) {
    this.#readAt = readAt;
    this.#head = head;
    this.detected = detectText(head);
  }

  static async open(readAt: ReadAt): Promise<OpenedText> {
    return new OpenedText(readAt, await readAt(0, DETECT_BYTES + 1));
  }

  /** Reads a part of the file; see ReadAt. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const isWhole = this.#head.length <= DETECT_BYTES;
    if (isWhole || offset + length <= this.#head.length) return this.#head.subarray(offset, offset + length);
    return this.#readAt(offset, length);
  }

  /**
   * Reads the part from `offset` on, at most `length` bytes, or the first character if that is longer. Text
   * is cut between characters, so that consecutive parts make up the whole file.
   */
  async window(offset: number, length: number): Promise<ByteWindow> {
    const before = Math.min(offset, LOOK_BACK_BYTES);
    const bytes = await this.read(offset - before, before + length + 2 * MAX_CHARACTER_BYTES);
    const encoding = this.detected.kind === "text" ? this.detected.encoding : undefined;
    const start = encoding === undefined ? before : boundary(bytes, before, offset - before, encoding);
    const within = bytes.subarray(start, start + length);
    const isLast = bytes.length <= start + length;
    const cut = isLast || encoding === undefined ? 0 : cutBytes(within, encoding);
    const first = encoding === undefined ? 0 : characterBytes(bytes, start, encoding);
    const taken = bytes.subarray(start, start + (cut < within.length ? within.length - cut : first));
    const from = offset - before + start;
    const isEnd = bytes.length <= start + taken.length;
    return { bytes: taken, offset: from, nextOffset: isEnd ? null : from + taken.length };
  }

  /** Decodes a part as text; undefined if it is binary. */
  text(window: ByteWindow): TextWindow | undefined {
    if (this.detected.kind === "binary") return undefined;
    const { encoding } = this.detected;
    const isMarked =
      window.offset === 0 && (encoding === "utf-16le" || encoding === "utf-16be") && hasMark(window.bytes);
    const read = readable(isMarked ? window.bytes.subarray(2) : window.bytes, encoding);
    if (read.strays > 1 && read.strays > MAX_STRAYS * window.bytes.length) return undefined;
    return { ...window, ...read, encoding };
  }
}

function hasMark([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/**
 * Returns the first position from `at` on at which a character begins. `fileOffset`: offset of the first byte
 * in the file.
 */
function boundary(bytes: Uint8Array, at: number, fileOffset: number, encoding: TextEncodingName): number {
  if (at === 0 || encoding === "windows-1252") return at;
  if (encoding === "utf-8") {
    let start = at;
    while (start < bytes.length && start < at + 3 && isContinuation(bytes[start])) start += 1;
    // A continuation byte without a start is a stray, and is kept.
    const begun = start === at ? 0 : beginsBefore(bytes, at);
    return begun > 0 && at - begun + characterBytes(bytes, at - begun, encoding) === start ? start : at;
  }
  // A byte below 0x30 is a character of its own, or ends an invalid one.
  let from = TWO_BYTE_ENCODINGS.has(encoding) ? at : fileOffset & 1;
  if (TWO_BYTE_ENCODINGS.has(encoding)) while (from > 0 && (bytes[from - 1] ?? 0) >= 0x30) from -= 1;
  while (from < at) from += characterBytes(bytes, from, encoding);
  return from;
}

/** Returns how many bytes before `at` a character begins that continues there; 0 if none does. */
function beginsBefore(bytes: Uint8Array, at: number): number {
  for (let begun = 1; begun <= Math.min(3, at); begun += 1)
    if (!isContinuation(bytes[at - begun])) return begun;
  return 0;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf;
}
