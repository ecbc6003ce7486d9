import { isUtf8 } from "node:buffer";
import { isLikeAnother, readsAsLatin, suspects } from "./lookalikes.ts";
import { escaped, visibleCharacter } from "./visible.ts";

/** Runs of at least 16 equal characters, which are counted: indentation stays, padding goes. */
const RUN = /(.)\1{15,}/gsu;

/** Words, and the characters between them. */
const WORDS = /[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}]/gsu;

/**
 * Part of each end of a longer content that is processed, in characters or bytes: more than is ever shown.
 */
const WINDOW = 32 * 1024;

/** Characters reserved for the note on the left-out part, and for marking spaces at both ends. */
const MAX_NOTE_CHARACTERS = 60;

/** Shown for a space in a counted run. */
const SPACE = "␣";

/** Content as shown to a person who must decide on it. */
export interface Excerpt {
  /** The content on one line, without anything misleading. */
  readonly shown: string;
  /** True if all of it is shown. */
  readonly isWhole: boolean;
  /** True if it has marked characters: ones that look like others, or that can't be seen. */
  readonly hasMarks: boolean;
}

/**
 * Shows content so that a person can judge it, on one line of bounded length. Like `visible`, and in addition
 * it marks as `\u{…}` everything that looks like something else: letters of another script than their word's,
 * letters and signs that resemble plain ones, loose marks, and right-to-left letters beside Latin ones. Long
 * runs of a character are counted (`\{␣ × 3,000}`). Of content longer than `maxCharacters` (at least 100)
 * both ends are shown, with the number of characters, or bytes, between them. No content can look like such a
 * note, because its backslashes are doubled. Bytes that are not UTF-8 are shown in hexadecimal.
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

/** Formats a number for people: 3,000. */
export function counted(number: number): string {
  return number.toLocaleString("en-US");
}

/** The processed part of content: all of it, or its ends. */
interface Ends {
  readonly first: string;
  readonly last: string | undefined;
  readonly size: number;
  /** Unit of `size`. */
  readonly noun: string;
  /** Returns the size of a part of `first` or `last`. */
  readonly sizeOf: (part: string) => number;
}

function ofText(text: string): Ends {
  const counting = { size: text.length, noun: "characters", sizeOf: (part: string) => part.length };
  if (text.length <= 2 * WINDOW) return { first: text, last: undefined, ...counting };
  // Surrogate pairs are not split.
  const isPair = (at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;
  const from = text.length - WINDOW;
  return {
    first: text.slice(0, isPair(WINDOW) ? WINDOW - 1 : WINDOW),
    last: text.slice(isPair(from) ? from + 1 : from),
    ...counting,
  };
}

/** Returns undefined for bytes that are not UTF-8. */
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

/** Returns the nearest position up to three bytes before `at` that does not split a UTF-8 character. */
function endOfCharacter(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end > at - 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

/** One character as shown, or a run of equal ones. */
interface Cell {
  /** Its length in the original text. */
  readonly length: number;
  readonly shown: string;
  /** True if it is marked because it is invisible, or looks like another. */
  readonly isMarked: boolean;
}

/**
 * Returns the cells of one end of a text, in the order of the text, as many as fit. It processes no more than
 * is shown.
 */
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

/** A part of a text: a run of one character, or the text between two runs. */
interface Part {
  readonly from: number;
  readonly to: number;
  /** The character of a run; empty for other text. */
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

/** Returns the characters of a part that fit into the width, and a few more. */
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

/** Returns as many of the first cells as fit. */
function fitting(cells: readonly Cell[], width: number): Cell[] {
  let left = width;
  const end = cells.findIndex(({ shown }) => {
    left -= shown.length;
    return left < 0;
  });
  return cells.slice(0, end === -1 ? cells.length : end);
}

/** Joins cells, and marks a space at either end. */
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
