import { CmdopError } from "../errors/cmdop-error.ts";

/**
 * Known encodings of text files, with the names of the web platform. Windows-1252 includes Latin-1, GBK
 * includes GB 2312.
 */
export const TEXT_ENCODINGS = [
  "utf-8",
  "utf-16le",
  "utf-16be",
  "windows-1252",
  "shift_jis",
  "euc-jp",
  "gbk",
  "big5",
  "euc-kr",
] as const;

export type TextEncodingName = (typeof TEXT_ENCODINGS)[number];

/** Encodings whose characters beyond ASCII have two bytes, of which the second may look like ASCII. */
export const TWO_BYTE_ENCODINGS: ReadonlySet<TextEncodingName> = new Set([
  "shift_jis",
  "euc-jp",
  "gbk",
  "big5",
  "euc-kr",
]);

/** Returns true if a character of two bytes (three in EUC-JP after 8F) begins with this one. */
export function isLead(byte: number, encoding: TextEncodingName): boolean {
  if (encoding === "shift_jis") return (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc);
  if (encoding === "euc-jp") return byte === 0x8e || byte === 0x8f || (byte >= 0xa1 && byte <= 0xfe);
  return byte >= 0x81 && byte <= 0xfe;
}

/**
 * Returns the bytes of the character that begins here, judged by its first bytes; more than are left if it is
 * cut off.
 */
export function characterBytes(bytes: Uint8Array, at: number, encoding: TextEncodingName): number {
  const first = bytes[at] ?? 0;
  if (encoding === "windows-1252") return 1;
  if (encoding === "utf-16le" || encoding === "utf-16be") {
    const high = bytes[encoding === "utf-16le" ? at + 1 : at] ?? 0;
    return high >= 0xd8 && high <= 0xdb ? 4 : 2;
  }
  if (encoding === "utf-8") return first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (!isLead(first, encoding)) return 1;
  if (encoding === "euc-jp" && first === 0x8f) return 3;
  const second = bytes[at + 1] ?? 0;
  return encoding === "gbk" && second >= 0x30 && second <= 0x39 ? 4 : 2;
}

/**
 * Encodes a text, without a byte order mark.
 * @throws CmdopError InvalidArgument for a character that the encoding lacks
 */
export function encodeText(text: string, encoding: TextEncodingName): Buffer {
  if (!text.isWellFormed()) throw notIn("half of a surrogate pair", encoding);
  if (encoding === "utf-8") return Buffer.from(text);
  if (encoding === "utf-16le") return Buffer.from(text, "utf16le");
  if (encoding === "utf-16be") return Buffer.from(text, "utf16le").swap16();
  const table = encoderOf(encoding);
  const bytes = Buffer.allocUnsafe(2 * text.length);
  let length = 0;
  for (const character of text) {
    const code = character.charCodeAt(0);
    const known = code < 0x80 ? code : table.get(character);
    if (known === undefined) throw notIn(JSON.stringify(character), encoding);
    if (known > 0xff) {
      bytes[length] = known >> 8;
      length += 1;
    }
    bytes[length] = known & 0xff;
    length += 1;
  }
  return bytes.subarray(0, length);
}

/**
 * Decodes bytes; returns undefined if they are not valid in this encoding. A byte order mark stays, as
 * U+FEFF.
 */
export function decodeStrictly(bytes: Uint8Array, encoding: TextEncodingName): string | undefined {
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    // Node decodes some invalid bytes as characters that no text has.
    return TWO_BYTE_ENCODINGS.has(encoding) && C1_CONTROL.test(text) ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const C1_CONTROL = /[\u0080-\u009f]/;

const encoders = new Map<TextEncodingName, ReadonlyMap<string, number>>();

/**
 * Returns the characters of one or two bytes with their codes, found by decoding each: at most 32,000. The
 * table is made when first needed, and kept.
 */
function encoderOf(encoding: TextEncodingName): ReadonlyMap<string, number> {
  const made = encoders.get(encoding);
  if (made !== undefined) return made;
  const table = new Map<string, number>();
  const add = (code: number, ...bytes: number[]): void => {
    const text = decodeStrictly(Uint8Array.from(bytes), encoding);
    // If a character has two codes, the first is the usual one.
    if (text !== undefined && [...text].length === 1 && !table.has(text)) table.set(text, code);
  };
  for (let first = 0x80; first <= 0xff; first += 1) {
    add(first, first);
    if (!TWO_BYTE_ENCODINGS.has(encoding) || !isLead(first, encoding)) continue;
    for (let second = 0x40; second <= 0xff; second += 1) add((first << 8) | second, first, second);
  }
  encoders.set(encoding, table);
  return table;
}

function notIn(what: string, encoding: TextEncodingName): CmdopError {
  return new CmdopError(
    "InvalidArgument",
    `${what} can't be written in ${encoding}, which this file is in.`,
    {
      next: "Use characters that the encoding has, or convert the whole file to UTF-8 first (iconv).",
    },
  );
}
