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

/** Bytes that an escape can stand for: those beyond ASCII, and the backslash. */
const ESCAPE = /\\x([89A-F][0-9A-F]|5C)/i;
const ESCAPES = new RegExp(ESCAPE, "gi");

/** A backslash of the name itself that looks like the beginning of an escape. */
const AMBIGUOUS = new RegExp(`\\\\(?=${ESCAPE.source.slice(2)})`, "gi");

/** In a pattern: escapes in a row, which may make up one character, or a backslash with what it takes the meaning from. */
const IN_PATTERN = new RegExp(`((?:${ESCAPE.source})+)|\\\\[^]`, "gi");

/** Where, in a string of characters, a byte that belongs to none stands: U+DC00 plus the byte, half of a pair, which no text has. */
const LONE_BYTE = 0xdc00;

/** The text of a name or path that the system knows by these bytes, or as Node's own functions give it, where a backslash is only that. */
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
 * The bytes that a text stands for. Also takes what `pathText` never gives, as
 * `\xc3\xa9` for é; whoever compares paths compares `canonicalPath`.
 * @throws CmdopError InvalidArgument where the text holds half of a surrogate pair, which no encoding has
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

/** The one text of what a text stands for: two paths are the same where these are. */
export function canonicalPath(text: string): string {
  return ESCAPE.test(text) ? pathText(pathBytes(text)) : text;
}

/** The path for Node's own functions: a string where its bytes are UTF-8, as nearly all are, else a Buffer. */
export function systemPath(text: string): string | Buffer {
  if (!ESCAPE.test(text)) return text;
  const bytes = pathBytes(text);
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

/** The characters of a name, to be matched one by one: of what is not UTF-8 each byte is one. */
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
 * A pattern in which a backslash takes its meaning from the next character, for
 * `pathCharacters`: the escapes in it have become the characters that they stand for.
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

/** `\xE9`: how a byte is shown that is no text. */
export function byteEscape(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
