import { binaryType } from "./binary-type.ts";
import { decodeStrictly, type TextEncodingName } from "./encodings.ts";
import { characterLength, openBytes } from "./utf8-pieces.ts";

/** The kind of a file's content, judged by its beginning. */
export type Detected =
  | { readonly kind: "text"; readonly encoding: TextEncodingName }
  /** `type`: the kind of file in words, if the first bytes show it. */
  | { readonly kind: "binary"; readonly type: string | undefined };

/** Bytes of a file's beginning that are examined. */
export const DETECT_BYTES = 64 * 1024;

/** Largest share of control characters in a text. Terminal logs have a few; compressed data have a tenth. */
const MAX_CONTROLS = 0.05;
/** Largest share of NULs in a text. A crash leaves some in a log; a binary format is full of them. */
const MAX_NULS = 0.005;
/** Largest share of strays (bytes that are neither UTF-8 nor of a known encoding) in a damaged text. */
const MAX_STRAYS = 0.3;
/** Fewer strays than this, with a smaller share than the next, do not indicate an encoding. */
const FEW_STRAYS = 4;
const RARE_STRAYS = 0.01;
/** Smallest share of characters that must be typical of an encoding. */
const CERTAIN = 0.9;

/**
 * Detects text and its encoding: with certainty by a byte order mark or by valid UTF-8, else by typical
 * characters. Linear in the examined bytes, at most DETECT_BYTES.
 */
export function detectText(file: Uint8Array): Detected {
  const isCut = file.length > DETECT_BYTES;
  const bytes = file.subarray(0, DETECT_BYTES);
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return text("utf-8");
  const utf32 = startsWith(bytes, 0xff, 0xfe, 0, 0) || startsWith(bytes, 0, 0, 0xfe, 0xff);
  if (!utf32 && startsWith(bytes, 0xff, 0xfe)) return text("utf-16le");
  if (!utf32 && startsWith(bytes, 0xfe, 0xff)) return text("utf-16be");
  const utf16 = unmarkedUtf16(bytes);
  if (utf16 !== undefined) return text(utf16);

  const counts = countBytes(bytes, isCut);
  const looksLikeText =
    counts.nuls <= MAX_NULS * bytes.length && counts.controls + counts.nuls <= MAX_CONTROLS * bytes.length;
  const isUtf8 = looksLikeText && counts.strays === 0;
  const type = binaryType(bytes, isUtf8);
  if (type !== undefined || !looksLikeText) return { kind: "binary", type };
  if (isUtf8) return text("utf-8");
  const isRare = counts.strays < FEW_STRAYS && counts.strays < RARE_STRAYS * bytes.length;
  // If most of it is UTF-8, the rest is damage.
  const isDamaged = counts.characters * 2 > counts.strays;
  const legacy = isRare || isDamaged ? undefined : legacyEncoding(bytes);
  if (legacy !== undefined) return text(legacy);
  return counts.strays <= MAX_STRAYS * bytes.length ? text("utf-8") : { kind: "binary", type: undefined };
}

function text(encoding: TextEncodingName): Detected {
  return { kind: "text", encoding };
}

function startsWith(bytes: Uint8Array, ...mark: number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

/** Smallest number of zeros that are not there by chance. */
const MIN_ZEROS = 3;

/**
 * Detects UTF-16 without a byte order mark: zeros on one side only, from Latin letters, digits, spaces and
 * line ends, and valid characters throughout.
 */
function unmarkedUtf16(bytes: Uint8Array): TextEncodingName | undefined {
  const even = bytes.subarray(0, bytes.length & ~1);
  if (even.length < 4 || !even.includes(0)) return undefined;
  const zeros = [0, 0];
  for (let at = 0; at < even.length; at += 1) if (even[at] === 0) zeros[at & 1] = (zeros[at & 1] ?? 0) + 1;
  const [first = 0, second = 0] = zeros;
  if (first > 0 && second > 0) return undefined;
  const encoding = second > 0 ? "utf-16le" : "utf-16be";
  // A third of the characters is enough for Latin letters, and too many for most binary content.
  if (first + second < Math.max(MIN_ZEROS, even.length / 6)) return undefined;
  const decoded = decodeStrictly(withoutOpenPair(even, encoding), encoding);
  if (decoded === undefined) return undefined;
  let strange = 0;
  for (const character of decoded) {
    if (STRANGE.test(character) && !TEXT_CONTROLS.has(character.charCodeAt(0))) strange += 1;
  }
  return strange <= MAX_CONTROLS * decoded.length ? encoding : undefined;
}

/** Characters that no text has: control, unassigned and private ones. */
const STRANGE = /[\p{Cc}\p{Cn}\p{Co}]/u;

function withoutOpenPair(bytes: Uint8Array, encoding: TextEncodingName): Uint8Array {
  const high = bytes[bytes.length - (encoding === "utf-16le" ? 1 : 2)] ?? 0;
  return high >= 0xd8 && high <= 0xdb ? bytes.subarray(0, -2) : bytes;
}

interface Counts {
  readonly nuls: number;
  /** Control characters, except NUL and those that texts have. */
  readonly controls: number;
  /** UTF-8 characters beyond ASCII. */
  readonly characters: number;
  /** Bytes beyond ASCII that are not UTF-8. */
  readonly strays: number;
}

function countBytes(bytes: Uint8Array, isCut: boolean): Counts {
  const counts = { nuls: 0, controls: 0, characters: 0, strays: 0 };
  const end = bytes.length - (isCut ? openBytes(bytes) : 0);
  for (let at = 0; at < end; ) {
    const byte = bytes[at] ?? 0;
    const length = characterLength(bytes, at);
    if (byte === 0) counts.nuls += 1;
    else if (byte < 0x20 ? !TEXT_CONTROLS.has(byte) : byte === 0x7f) counts.controls += 1;
    else if (length === 0) counts.strays += 1;
    else if (length > 1) counts.characters += 1;
    at += Math.max(1, length);
  }
  return counts;
}

/** Backspace, tab, line feed, form feed, carriage return, escape. */
const TEXT_CONTROLS: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x1b]);

/** Detects a two-byte encoding or Windows-1252 by the characters that are typical of it. */
function legacyEncoding(bytes: Uint8Array): TextEncodingName | undefined {
  const scores = scoreTwoBytes(bytes);
  for (const [encoding, isLikely] of CANDIDATES) {
    // The beginning of a file may be cut within a character.
    if (
      isLikely(scores) &&
      [0, 1, 2, 3].some(
        (cut) => decodeStrictly(bytes.subarray(0, bytes.length - cut), encoding) !== undefined,
      )
    )
      return encoding;
  }
  return isLatin(bytes) ? "windows-1252" : undefined;
}

/**
 * Counts of two-byte characters by kind: in one reading for EUC and GBK, in others for Shift JIS and Big5.
 */
interface Scores {
  /** Pairs of bytes, read as EUC or GBK. */
  readonly pairs: number;
  /** Hiragana and katakana of EUC-JP. */
  readonly kana: number;
  /** Hangul of EUC-KR, in whose rows the common hanzi of GB 2312 begin, too. */
  readonly hangul: number;
  /** Common hanzi of GB 2312. */
  readonly hanzi: number;
  /** Symbols and punctuation of these encodings. */
  readonly symbols: number;
  /** Read as Shift JIS: all characters, and the kana among them. */
  readonly jisPairs: number;
  readonly jisKana: number;
  /**
   * Read as Big5: all characters, the common ones among them, and those whose second byte looks like ASCII.
   */
  readonly bigPairs: number;
  readonly bigCommon: number;
  readonly bigLow: number;
}

const CANDIDATES: readonly (readonly [TextEncodingName, (scores: Scores) => boolean])[] = [
  ["shift_jis", ({ jisPairs, jisKana }) => jisPairs > 1 && jisKana >= jisPairs * 0.25],
  ["euc-jp", ({ pairs, kana }) => pairs > 1 && kana >= pairs * 0.25],
  ["euc-kr", ({ pairs, hangul, symbols }) => pairs > 1 && hangul > 0 && hangul + symbols >= pairs * CERTAIN],
  ["gbk", ({ pairs, hanzi, symbols }) => pairs > 1 && hanzi > 0 && hanzi + symbols >= pairs * CERTAIN],
  [
    "big5",
    ({ bigPairs, bigCommon, bigLow }) =>
      bigPairs > 1 && bigCommon >= bigPairs * CERTAIN && bigLow >= bigPairs * 0.15,
  ],
];

function scoreTwoBytes(bytes: Uint8Array): Scores {
  const scores = { pairs: 0, kana: 0, hangul: 0, hanzi: 0, symbols: 0 };
  const jis = { jisPairs: 0, jisKana: 0 };
  const big = { bigPairs: 0, bigCommon: 0, bigLow: 0 };
  walkPairs(
    bytes,
    (lead, trail) => {
      scores.pairs += 1;
      if (lead === 0xa4 || lead === 0xa5) scores.kana += 1;
      if (lead >= 0xa1 && lead <= 0xa3 && trail >= 0xa1) scores.symbols += 1;
      if (lead >= 0xb0 && lead <= 0xc8 && trail >= 0xa1) scores.hangul += 1;
      if (lead >= 0xb0 && lead <= 0xd7 && trail >= 0xa1) scores.hanzi += 1;
      big.bigPairs += 1;
      if (lead >= 0xa1 && lead <= 0xc6) big.bigCommon += 1;
      if (trail < 0x80) big.bigLow += 1;
    },
    (byte) => byte >= 0x81 && byte <= 0xfe,
  );
  walkPairs(
    bytes,
    (lead, trail) => {
      jis.jisPairs += 1;
      if (
        (lead === 0x82 && trail >= 0x9f && trail <= 0xf1) ||
        (lead === 0x83 && trail >= 0x40 && trail <= 0x96)
      )
        jis.jisKana += 1;
    },
    (byte) => (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc),
  );
  return { ...scores, ...jis, ...big };
}

function walkPairs(
  bytes: Uint8Array,
  count: (lead: number, trail: number) => void,
  isLead: (byte: number) => boolean,
): void {
  for (let at = 0; at + 1 < bytes.length; at += 1) {
    const lead = bytes[at] ?? 0;
    if (!isLead(lead)) continue;
    count(lead, bytes[at + 1] ?? 0);
    at += 1;
  }
}

/**
 * Returns true if the text looks like Windows-1252: its letters stand beside ASCII letters or alone (`à`),
 * not in rows like those of other alphabets, and its other characters are ones that people type.
 */
function isLatin(bytes: Uint8Array): boolean {
  let likely = 0;
  let all = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) continue;
    all += 1;
    const isPlain = byte >= 0xc0 && byte !== 0xd7 && byte !== 0xf7;
    const [before = 0, after = 0] = [bytes[at - 1], bytes[at + 1]];
    const isInWord = isLetter(before) || isLetter(after) || (before < 0x80 && after < 0x80);
    if (isPlain ? isInWord : TYPED.has(byte)) likely += 1;
  }
  return likely >= all * CERTAIN;
}

function isLetter(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}

/**
 * Characters of Windows-1252 that people type, besides most letters: euro, ellipsis, quotes, bullet, dashes,
 * a hard space, and the signs that are on keyboards.
 */
const TYPED: ReadonlySet<number> = new Set([
  ...[
    0x80, 0x82, 0x84, 0x85, 0x8a, 0x8c, 0x8e, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x99, 0x9a, 0x9c,
    0x9e, 0x9f,
  ],
  ...[
    0xa0, 0xa1, 0xa3, 0xa7, 0xa9, 0xab, 0xae, 0xb0, 0xb1, 0xb2, 0xb3, 0xb5, 0xb7, 0xba, 0xbb, 0xbc, 0xbd,
    0xbe, 0xbf, 0xd7,
  ],
]);
