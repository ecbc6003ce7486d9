import { byteEscape } from "../path-text.ts";
import { characterBytes, decodeStrictly, type TextEncodingName, TWO_BYTE_ENCODINGS } from "./encodings.ts";
import { openBytes, utf8Pieces } from "./utf8-pieces.ts";

/** A byte that is not text, with its place. */
export interface Stray {
  readonly byte: number;
  /** Offset from the first decoded byte. */
  readonly offset: number;
}

/** A text in readable form. Nothing is left out, and bytes that are not text are listed. */
export interface Readable {
  /** The text, with strays shown as `\xE9`. */
  readonly text: string;
  /** Number of strays. */
  readonly strays: number;
  /** The first strays. */
  readonly firstStrays: readonly Stray[];
}

/** Strays that are listed singly. */
const MAX_TOLD = 20;

/**
 * Decodes bytes that begin with a whole character. NULs and bytes that are not valid in the encoding are
 * shown as `\xE9`.
 */
export function readable(bytes: Uint8Array, encoding: TextEncodingName): Readable {
  const firstStrays: Stray[] = [];
  let strays = 0;
  let text = "";
  for (const piece of piecesOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), encoding)) {
    if (piece.byte === undefined) text += piece.text;
    else {
      strays += 1;
      if (firstStrays.length < MAX_TOLD) firstStrays.push({ byte: piece.byte, offset: piece.offset });
      text += byteEscape(piece.byte);
    }
  }
  return { text, strays, firstStrays };
}

type Piece = ReturnType<typeof utf8Pieces> extends Generator<infer T> ? T : never;

function piecesOf(bytes: Buffer, encoding: TextEncodingName): Iterable<Piece> {
  return encoding === "utf-8" ? utf8Pieces(bytes, true) : piecesIn(bytes, encoding);
}

/** Decodes another encoding: as a whole if all of it is valid, else character by character. */
function* piecesIn(bytes: Buffer, encoding: TextEncodingName): Generator<Piece> {
  const isWide = encoding === "utf-16le" || encoding === "utf-16be";
  const whole = !isWide && bytes.includes(0) ? undefined : decodeStrictly(bytes, encoding);
  if (whole !== undefined && !whole.includes("\0")) return yield { text: whole };
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(characterBytes(bytes, at, encoding), bytes.length - at);
    const text = decodeStrictly(bytes.subarray(at, at + length), encoding);
    if (text !== undefined && !text.includes("\0")) {
      yield { text };
      at += length;
      continue;
    }
    // An invalid unit of UTF-16 has two bytes as well, so that the next one is aligned.
    const broken = Math.min(isWide ? 2 : 1, bytes.length - at);
    for (let end = at + broken; at < end; at += 1) yield { byte: bytes[at] ?? 0, offset: at };
  }
}

/**
 * Returns the number of bytes at the end that belong to an incomplete character. The bytes must begin with a
 * whole one.
 */
export function cutBytes(bytes: Uint8Array, encoding: TextEncodingName): number {
  if (encoding === "utf-8") return openBytes(bytes);
  if (encoding === "windows-1252") return 0;
  if (!TWO_BYTE_ENCODINGS.has(encoding)) {
    const odd = bytes.length & 1;
    const last = bytes.length - odd - 2;
    return odd + (last >= 0 && characterBytes(bytes, last, encoding) === 4 ? 2 : 0);
  }
  // The first byte of a pair can only be recognised by counting from the beginning.
  let at = 0;
  for (let length = 0; at < bytes.length; at += length) {
    length = characterBytes(bytes, at, encoding);
    if (at + length > bytes.length) return bytes.length - at;
  }
  return 0;
}

/**
 * Returns the offset and the size of the first line feed from `from` on; undefined if there is none. The
 * bytes must begin with a whole character.
 */
export function nextLine(
  bytes: Uint8Array,
  from: number,
  encoding: TextEncodingName,
): { readonly at: number; readonly bytes: number } | undefined {
  const isWide = encoding === "utf-16le" || encoding === "utf-16be";
  const offset = encoding === "utf-16be" ? 1 : 0;
  for (let at = bytes.indexOf(0x0a, from); at !== -1; at = bytes.indexOf(0x0a, at + 1)) {
    // In all other encodings, 0x0a is never the second byte of a character.
    if (!isWide) return { at, bytes: 1 };
    const start = at - offset;
    if (start % 2 === 0 && start >= from && bytes[start + 1 - offset] === 0 && start + 2 <= bytes.length)
      return { at: start, bytes: 2 };
  }
  return undefined;
}

/**
 * Returns notes for a reader: the encoding if it is not UTF-8, and the strays. `place`: describes the place
 * of a stray, as in "line 12".
 */
export function textNotes(
  { strays, firstStrays }: Readable,
  encoding: TextEncodingName,
  place: (stray: Stray) => string,
): string[] {
  const notes = encoding === "utf-8" ? [] : [`decoded from ${encoding}`];
  if (strays === 0) return notes;
  const places = [...new Set(firstStrays.map(place))];
  const more = strays > firstStrays.length ? " and on" : "";
  const [first] = firstStrays;
  const what = strays === 1 ? "1 byte that is no text is" : `${strays} bytes that are no text are`;
  const shown = strays === 1 ? byteEscape(first?.byte ?? 0) : `${byteEscape(first?.byte ?? 0)} and the like`;
  return [...notes, `${what} shown as ${shown}: ${places.join(", ")}${more}`];
}
