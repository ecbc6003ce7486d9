import { DETECT_BYTES, type Detected, detectText } from "./detect.ts";
import { characterBytes, type TextEncodingName, TWO_BYTE_ENCODINGS } from "./encodings.ts";
import { cutBytes, type Readable, readable } from "./readable.ts";

/** Reads up to `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** A part of a file. */
export interface ByteWindow {
  readonly bytes: Uint8Array;
  /** Of the first byte in the file: of text a little behind the one asked for if that was inside a character. */
  readonly offset: number;
  /** Where the rest begins; null at the end of the file. */
  readonly nextOffset: number | null;
}

/** The same of a text file, as a person can read it. */
export interface TextWindow extends ByteWindow, Readable {
  readonly encoding: TextEncodingName;
}

/** Bytes before an offset that tell whether it lies inside a character. */
const LOOK_BACK_BYTES = 256;

/** The longest character of all encodings. */
const MAX_CHARACTER_BYTES = 4;

/** A share of strays beyond which a part is no text, whatever the file begins with. */
const MAX_STRAYS = 0.3;

/** A file whose beginning has been looked at: what it holds, and a way to read it that asks for no byte twice of what is known. */
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

  /** As ReadAt. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const isWhole = this.#head.length <= DETECT_BYTES;
    if (isWhole || offset + length <= this.#head.length) return this.#head.subarray(offset, offset + length);
    return this.#readAt(offset, length);
  }

  /**
   * The part from `offset` on, `length` bytes at most, or the first character
   * where that is longer. A text is cut between characters, so that parts read one after the other make the file whole.
   */
  async window(offset: number, length: number): Promise<ByteWindow> {
    const most = Math.max(length, MAX_CHARACTER_BYTES);
    const before = Math.min(offset, LOOK_BACK_BYTES);
    const bytes = await this.read(offset - before, before + MAX_CHARACTER_BYTES + most + 1);
    const { detected } = this;
    const start =
      detected.kind === "text" ? boundary(bytes, before, offset - before, detected.encoding) : before;
    const within = bytes.subarray(start, start + most);
    const more = bytes.length > start + most;
    const cut = more && detected.kind === "text" ? cutBytes(within, detected.encoding) : 0;
    const from = offset - before + start;
    const end = within.length - cut;
    return { bytes: within.subarray(0, end), offset: from, nextOffset: more ? from + end : null };
  }

  /** A part as text; undefined where it is none. */
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

/** The first place from `at` on where a character begins. `fileOffset`: of the first byte. */
function boundary(bytes: Uint8Array, at: number, fileOffset: number, encoding: TextEncodingName): number {
  if (at === 0 || encoding === "windows-1252") return at;
  if (encoding === "utf-8") {
    let start = at;
    while (start < bytes.length && start < at + 3 && isContinuation(bytes[start])) start += 1;
    // What continues nothing is a stray, and stays.
    const begun = start === at ? 0 : beginsBefore(bytes, at);
    return begun > 0 && at - begun + characterBytes(bytes, at - begun, encoding) === start ? start : at;
  }
  // Bytes below 0x30 are characters of their own, or the end of what can't be one.
  let from = TWO_BYTE_ENCODINGS.has(encoding) ? at : fileOffset & 1;
  if (TWO_BYTE_ENCODINGS.has(encoding)) while (from > 0 && (bytes[from - 1] ?? 0) >= 0x30) from -= 1;
  while (from < at) from += characterBytes(bytes, from, encoding);
  return from;
}

/** How many bytes before `at` the character begins that goes on there; 0 where none does. */
function beginsBefore(bytes: Uint8Array, at: number): number {
  for (let begun = 1; begun <= Math.min(3, at); begun += 1)
    if (!isContinuation(bytes[at - begun])) return begun;
  return 0;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf;
}
