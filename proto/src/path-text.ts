import { isUtf8 } from "node:buffer";
import { CmdopError } from "./errors/cmdop-error.ts";
import { utf8Pieces } from "./text/utf8-pieces.ts";

/*
 * The one way in which names are written as text, on the wire and for people.
 * Names are bytes on Linux, and most are UTF-8: those are written as they are.
 * A byte that is not part of UTF-8 is written `\xE9`. A backslash that would be
 * read as the beginning of such an escape is written `\x5C`; every other
 * backslash is itself. So each name has exactly one text, each text stands for
 * one name, and neither a slash, nor a dot, nor NUL can be hidden in an escape.
 */

/** Escapes: they stand for bytes beyond ASCII, and for the backslash. */
const ESCAPE = /\\x([89A-F][0-9A-F]|5C)/i;
const ESCAPES = new RegExp(ESCAPE, "gi");

/** A backslash of the name itself that looks like the start of an escape. */
const AMBIGUOUS = new RegExp(`\\\\(?=${ESCAPE.source.slice(2)})`, "gi");

/**
 * In a pattern: consecutive escapes, which may form one character, or a backslash with the character that it
 * makes literal.
 */
const IN_PATTERN = new RegExp(`((?:${ESCAPE.source})+)|\\\\[^]`, "gi");

/**
 * Code of a byte that is not part of UTF-8, in a string of characters: U+DC00 plus the byte, a lone
 * surrogate, which no text contains.
 */
const LONE_BYTE = 0xdc00;

/**
 * Returns the text of a name or path, given as bytes, or as a string from Node's own functions, in which a
 * backslash is only that.
 */
export function pathText(bytes: Uint8Array | string): string {
  if (typeof bytes === "string") return unambiguous(bytes);
  if (isUtf8(bytes)) return unambiguous(bufferOf(bytes).toString());
  let text = "";
  for (const piece of utf8Pieces(bufferOf(bytes))) {
    text += piece.byte === undefined ? unambiguous(piece.text) : byteEscape(piece.byte);
  }
  return text;
}

/**
 * Returns the bytes that a text stands for. It also accepts texts that `pathText` never makes, such as
 * `\xc3\xa9` for é; comparisons must use `canonicalPath`.
 * @throws CmdopError InvalidArgument for a text with a lone surrogate, which no encoding has
 */
export function pathBytes(text: string): Buffer {
  if (!text.isWellFormed()) {
    throw new CmdopError("InvalidArgument", "A name holds half of a surrogate pair, which is no character.", {
      next: "Write a byte that is not UTF-8 as \\xE9.",
    });
  }
  if (!ESCAPE.test(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (const { 0: found, 1: digits = "", index } of text.matchAll(ESCAPES)) {
    parts.push(Buffer.from(text.slice(from, index)), Buffer.of(Number.parseInt(digits, 16)));
    from = index + found.length;
  }
  parts.push(Buffer.from(text.slice(from)));
  return Buffer.concat(parts);
}

/** Returns the canonical text of a path: two paths are the same if these texts are. */
export function canonicalPath(text: string): string {
  return ESCAPE.test(text) ? pathText(pathBytes(text)) : text;
}

/**
 * Returns the path for Node's own functions: a string if its bytes are UTF-8, as nearly all are, else a
 * Buffer.
 */
export function systemPath(text: string): string | Buffer {
  if (!ESCAPE.test(text)) return text;
  const bytes = pathBytes(text);
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

/** Returns the characters of a name for matching; each byte that is not UTF-8 is one of them. */
export function pathCharacters(text: string): string[] {
  if (!ESCAPE.test(text)) return [...text];
  const characters: string[] = [];
  for (const piece of utf8Pieces(pathBytes(text))) {
    if (piece.byte === undefined) for (const character of piece.text) characters.push(character);
    else characters.push(String.fromCharCode(LONE_BYTE + piece.byte));
  }
  return characters;
}

/**
 * Returns the characters of a pattern, in which a backslash makes the next character literal, for matching
 * with `pathCharacters`. Escapes become the characters that they stand for.
 */
export function patternCharacters(pattern: string): string[] {
  return [
    ...pattern.replaceAll(IN_PATTERN, (found, escapes?: string) =>
      escapes === undefined
        ? found
        : pathCharacters(escapes)
            .map((character) => (character === "\\" ? "\\\\" : character))
            .join(""),
    ),
  ];
}

function unambiguous(text: string): string {
  return text.includes("\\x") ? text.replace(AMBIGUOUS, "\\x5C") : text;
}

/** Returns the escape of a byte that is not text: `\xE9`. */
export function byteEscape(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
