import { binaryType } from "./binary-type.ts";
import { decodeStrictly, type TextEncodingName } from "./encodings.ts";
import { characterLength, openBytes } from "./utf8-pieces.ts";

/** What a file holds, by its beginning. */
export type Detected =
  | { readonly kind: "text"; readonly encoding: TextEncodingName }
  /** `type`: in words, where the first bytes tell. */
  | { readonly kind: "binary"; readonly type: string | undefined };

/** Bytes of a file's beginning that say what it is. */
export const DETECT_BYTES = 64 * 1024;

/** Of a text: control characters that no text has, as a share; terminals' logs have a few, what is compressed has a tenth. */
const MAX_CONTROLS = 0.05;
/** And NULs: a crash leaves some in a log, a binary format is full of them. */
const MAX_NULS = 0.005;
/** Bytes that are neither UTF-8 nor of a known encoding, as a share, up to which it is a text with damage. */
const MAX_STRAYS = 0.3;
/** Fewer bytes beyond ASCII than this, and rarer than that, say nothing of an encoding: they are strays. */
const FEW_STRAYS = 4;
const RARE_STRAYS = 0.01;
/** The share of characters that have to be what texts in an encoding are made of. */
const CERTAIN = 0.9;

/** Whether it is text, and in which encoding: with certainty by a mark or by being UTF-8, else by what texts are made of. Linear in what is looked at, DETECT_BYTES at most. */
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
  // Where most is UTF-8, the rest is damage.
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

/** Zeros that may be there by chance. */
const MIN_ZEROS = 3;

/** UTF-16 without a mark: zeros on one side only, for Latin letters, digits, spaces and line ends, and characters all the way. */
function unmarkedUtf16(bytes: Uint8Array): TextEncodingName | undefined {
  const even = bytes.subarray(0, bytes.length & ~1);
  if (even.length < 4 || !even.includes(0)) return undefined;
  const zeros = [0, 0];
  for (let at = 0; at < even.length; at += 1) if (even[at] === 0) zeros[at & 1] = (zeros[at & 1] ?? 0) + 1;
  const [first = 0, second = 0] = zeros;
  if (first > 0 && second > 0) return undefined;
  const encoding = second > 0 ? "utf-16le" : "utf-16be";
  // Every third character is enough for Latin letters, and too much for most that is binary.
  if (first + second < Math.max(MIN_ZEROS, even.length / 6)) return undefined;
  const decoded = decodeStrictly(withoutOpenPair(even, encoding), encoding);
  if (decoded === undefined) return undefined;
  let strange = 0;
  for (const character of decoded) {
    if (STRANGE.test(character) && !TEXT_CONTROLS.has(character.charCodeAt(0))) strange += 1;
  }
  return strange <= MAX_CONTROLS * decoded.length ? encoding : undefined;
}

/** What no text has: control characters, and those that nobody has given a meaning. */
const STRANGE = /[\p{Cc}\p{Cn}\p{Co}]/u;

function withoutOpenPair(bytes: Uint8Array, encoding: TextEncodingName): Uint8Array {
  const high = bytes[bytes.length - (encoding === "utf-16le" ? 1 : 2)] ?? 0;
  return high >= 0xd8 && high <= 0xdb ? bytes.subarray(0, -2) : bytes;
}

interface Counts {
  readonly nuls: number;
  /** Control characters but NUL, and those that texts have. */
  readonly controls: number;
  /** Characters of UTF-8 beyond ASCII. */
  readonly characters: number;
  /** Bytes beyond ASCII that are no UTF-8. */
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

/** An encoding of two bytes a character, or Windows-1252, where the text is made of what texts in it are made of. */
function legacyEncoding(bytes: Uint8Array): TextEncodingName | undefined {
  const scores = scoreTwoBytes(bytes);
  for (const [encoding, isLikely] of CANDIDATES) {
    // A piece may be cut within a character.
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

/** Characters of two bytes, counted by what they would be: of one reading for EUC and GBK, of another for Shift JIS and Big5. */
interface Scores {
  /** Read as two bytes beyond ASCII. */
  readonly pairs: number;
  /** Rows of hiragana and katakana, in EUC-JP. */
  readonly kana: number;
  /** Rows of hangul in EUC-KR, in which the common hanzi of GB 2312 begin. */
  readonly hangul: number;
  /** The common hanzi of GB 2312. */
  readonly hanzi: number;
  /** Symbols and punctuation of both. */
  readonly symbols: number;
  /** Read as Shift JIS: characters, and kana among them. */
  readonly jisPairs: number;
  readonly jisKana: number;
  /** Read as Big5: characters, and the common ones among them, those whose second byte looks like ASCII. */
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

/** Letters of Windows-1252 stand beside others or alone (`à`), not in rows as those of other alphabets do; and what is no letter is what people type. */
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

/** Of Windows-1252, beside letters: euro, ellipsis, quotes, bullet, dashes, a hard space, and the signs that are on keyboards. */
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
