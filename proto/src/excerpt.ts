import { isUtf8 } from "node:buffer";
import { isLikeAnother, readsAsLatin, suspects } from "./lookalikes.ts";
import { escaped, visibleCharacter } from "./visible.ts";

/** Equal characters in a row from here on are counted: indentation stays, padding goes. */
const RUN = /(.)\1{15,}/gsu;

/** Words, and what stands between them. */
const WORDS = /[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}]/gsu;

/** What is looked at of each end of a longer text, in characters or bytes: more than is ever shown of it. */
const WINDOW = 32 * 1024;

/** What the note on what is left out takes, in characters, and that spaces at both ends are seen. */
const MAX_NOTE_CHARACTERS = 60;

/** Drawn for a space where spaces are counted. */
const SPACE = "␣";

/** Content as a person sees it who is to decide. */
export interface Excerpt {
  /** On one line, without anything that could mislead. */
  readonly shown: string;
  /** Whether all of it is shown. */
  readonly isWhole: boolean;
  /** Whether characters are marked in it that look like others, or that can't be seen. */
  readonly hasMarks: boolean;
}

/**
 * Content as a person can judge it, on one line of bounded length. As `visible`
 * shows it, and marked as `\u{…}` is also what looks like something else: letters
 * of another script than their word's, letters and signs that are taken for plain
 * ones, loose marks, and beside Latin letters those that are written from right
 * to left. Long runs of a character are counted (`\{␣ × 3,000}`), and of what is
 * longer than `maxCharacters` (100 at least) both ends are shown, with the number
 * of characters, or bytes, between them. No content can look like such a note: a
 * backslash in it is doubled. Bytes that are no UTF-8 are shown in hexadecimal.
 */
export function excerpt(content: string | Uint8Array, maxCharacters: number): Excerpt {
  const ends = typeof content === "string" ? ofText(content) : ofBytes(content);
  return ends === undefined
    ? hexadecimal(Buffer.from(content), maxCharacters)
    : readable(ends, maxCharacters);
}

function readable({ first, last, size, noun, sizeOf }: Ends, maxCharacters: number): Excerpt {
  const amongLatin = readsAsLatin(first) || (last !== undefined && readsAsLatin(last));
  const width = maxCharacters - MAX_NOTE_CHARACTERS;
  const whole = last === undefined ? cellsFrom("start", first, width, amongLatin) : [];
  if (last === undefined && lengthOf(whole) === first.length) return drawn(whole, true);
  const half = Math.floor(width / 2);
  const end = last ?? first;
  const head = cellsFrom("start", first, half, amongLatin);
  const tail = cellsFrom("end", end, half, amongLatin);
  const shownSize = sizeOf(first.slice(0, lengthOf(head))) + sizeOf(end.slice(end.length - lengthOf(tail)));
  const note = { length: 0, shown: leftOut(size - shownSize, noun), isMarked: false };
  return drawn([...head, note, ...tail], false);
}

function hexadecimal(bytes: Buffer, maxCharacters: number): Excerpt {
  const what = "hexadecimal ";
  const most = Math.floor((maxCharacters - what.length - MAX_NOTE_CHARACTERS) / 2);
  if (bytes.length <= most) return { shown: what + bytes.toString("hex"), isWhole: true, hasMarks: false };
  const half = Math.floor(most / 2);
  const [head, tail] = [bytes.subarray(0, half), bytes.subarray(-half)].map((part) => part.toString("hex"));
  const shown = `${what}${head}${leftOut(bytes.length - 2 * half, "bytes")}${tail}`;
  return { shown, isWhole: false, hasMarks: false };
}

function leftOut(size: number, noun: string): string {
  return `\\{… ${counted(size)} ${noun} left out …}`;
}

/** A number for people: 3,000. */
export function counted(number: number): string {
  return number.toLocaleString("en-US");
}

/** What is looked at of content: all of it, or its ends. */
interface Ends {
  readonly first: string;
  readonly last: string | undefined;
  readonly size: number;
  /** What size is counted in. */
  readonly noun: string;
  /** How much of the content a part of `first` or `last` is. */
  readonly sizeOf: (part: string) => number;
}

function ofText(text: string): Ends {
  const counting = { size: text.length, noun: "characters", sizeOf: (part: string) => part.length };
  if (text.length <= 2 * WINDOW) return { first: text, last: undefined, ...counting };
  // Never between the halves of a pair.
  const isPair = (at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;
  const from = text.length - WINDOW;
  return {
    first: text.slice(0, isPair(WINDOW) ? WINDOW - 1 : WINDOW),
    last: text.slice(isPair(from) ? from + 1 : from),
    ...counting,
  };
}

/** Undefined for bytes that are no text. */
function ofBytes(bytes: Uint8Array): Ends | undefined {
  const isLong = bytes.length > 2 * WINDOW;
  const head = isLong ? bytes.subarray(0, endOfCharacter(bytes, WINDOW)) : bytes;
  const tail = isLong ? bytes.subarray(endOfCharacter(bytes, bytes.length - WINDOW)) : undefined;
  if (!isUtf8(head) || (tail !== undefined && !isUtf8(tail))) return undefined;
  return {
    first: decoded(head),
    last: tail && decoded(tail),
    size: bytes.length,
    noun: "bytes",
    sizeOf: (part) => Buffer.byteLength(part),
  };
}

function decoded(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/** The first place from `at` backwards, by three bytes at most, at which no character of UTF-8 is cut. */
function endOfCharacter(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end > at - 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

/** One character as it is drawn, or a run of them. */
interface Cell {
  /** What it takes of the text. */
  readonly length: number;
  readonly shown: string;
  /** Whether it is marked because it can't be seen, or not be told from another. */
  readonly isMarked: boolean;
}

/** The cells of one end of a text, in the order of the text: as many as fit. No more of it is looked at than is shown. */
function cellsFrom(side: "start" | "end", text: string, width: number, amongLatin: boolean): Cell[] {
  const found: Cell[] = [];
  let left = width;
  const parts = partsOf(text);
  for (const part of side === "start" ? parts : parts.reverse()) {
    const cells = part.run === "" ? cellsIn(ended(text, part, side, left), amongLatin) : [runOf(part)];
    const fit = fitting(side === "start" ? cells : cells.reverse(), left);
    found.push(...fit);
    left -= widthOf(fit);
    if (fit.length < cells.length) break;
  }
  return side === "start" ? found : found.reverse();
}

/** A part of a text: a run of one character, or what stands between two of them. */
interface Part {
  readonly from: number;
  readonly to: number;
  /** The character; empty for what is no run. */
  readonly run: string;
}

function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const { 0: all, 1: run = "", index } of text.matchAll(RUN)) {
    if (index > from) parts.push({ from, to: index, run: "" });
    from = index + all.length;
    parts.push({ from: index, to: from, run });
  }
  if (from < text.length) parts.push({ from, to: text.length, run: "" });
  return parts;
}

/** What of a part can be shown in so much width, and a little more: each character takes some. */
function ended(text: string, { from, to }: Part, side: "start" | "end", width: number): string {
  return side === "start"
    ? text.slice(from, Math.min(to, from + width + 2))
    : text.slice(Math.max(from, to - width - 2), to);
}

function cellsIn(text: string, amongLatin: boolean): Cell[] {
  const cells: Cell[] = [];
  for (const [word] of text.matchAll(WORDS)) {
    const characters = [...word];
    const marked = suspects(characters, amongLatin);
    for (const [index, character] of characters.entries())
      cells.push(cellOf(character, marked.has(index) || isLikeAnother(character)));
  }
  return cells;
}

function runOf({ from, to, run }: Part): Cell {
  const length = to - from;
  const { shown, isMarked } = cellOf(run, isLikeAnother(run));
  const count = counted(length / run.length);
  return { length, shown: `\\{${shown === " " ? SPACE : shown} × ${count}}`, isMarked };
}

function cellOf(character: string, isSuspect: boolean): Cell {
  const { length } = character;
  if (isSuspect || character === SPACE) return { length, shown: escaped(character), isMarked: isSuspect };
  const shown = visibleCharacter(character);
  return { length, shown, isMarked: shown.startsWith("\\u") };
}

/** As many of the first cells as fit. */
function fitting(cells: readonly Cell[], width: number): Cell[] {
  let left = width;
  const end = cells.findIndex(({ shown }) => {
    left -= shown.length;
    return left < 0;
  });
  return cells.slice(0, end === -1 ? cells.length : end);
}

/** A space at either end of all is seen. */
function drawn(cells: readonly Cell[], isWhole: boolean): Excerpt {
  const shown = cells.map((cell) => cell.shown).join("");
  const edged = shown.replaceAll(/^ | $/g, escaped);
  return { shown: edged, isWhole, hasMarks: cells.some(({ isMarked }) => isMarked) };
}

function widthOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { shown }) => sum + shown.length, 0);
}

function lengthOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { length }) => sum + length, 0);
}
