/** A place in a command's output. */
export interface Place {
  /** Bytes before it. */
  readonly bytes: number;
  /** Offset at which it can be read again. */
  readonly offset: number;
}

/** A line of an output, with its immediate repetitions. */
export interface Line {
  /** The whole line, or as much of its beginning and its end as can be shown. */
  readonly first: string;
  readonly last: string;
  /** Original length, in characters. */
  readonly length: number;
  /** Number of immediate repetitions. */
  readonly more: number;
  readonly from: Place;
}

/** Explains how to read a part that was left out, from an offset on. */
export type Advice = (offset: number) => string;

/** Most characters of the advice in a note: a sentence with an id. */
const MAX_ADVICE_CHARACTERS = 160;

/** Most characters of a note and the line ends around it: two numbers, some words, and the advice. */
export const MAX_NOTE_CHARACTERS = MAX_ADVICE_CHARACTERS + 100;

/** Smallest number of repetitions that are counted instead of shown. */
const MIN_COUNTED = 2;

/** Dropped lines that stay in the list before it is cut: each cut copies it. */
const MAX_GONE = 64;

/** Lines and their size as shown, each up to `maxLine` characters long. Repetitions of a line are counted. */
export class LineList {
  readonly #maxLine: number;
  #lines: Line[] = [];
  #gone = 0;
  #characters = 0;

  constructor(maxLine: number) {
    this.#maxLine = maxLine;
  }

  copy(): LineList {
    const copy = new LineList(this.#maxLine);
    copy.#lines = this.lines();
    copy.#characters = this.#characters;
    return copy;
  }

  /** Characters of the shown text, with a line end after each line. */
  get characters(): number {
    return this.#characters;
  }

  lines(): Line[] {
    return this.#lines.slice(this.#gone);
  }

  /** Adds a line if the text then has at most `room` characters; returns true if it was added. */
  add(line: Line, room: number): boolean {
    const newest = this.#lines.at(-1);
    const again = newest !== undefined && isSame(newest, line) ? addTo(newest, line) : undefined;
    const before = again === undefined || newest === undefined ? 0 : sizeOf(newest, this.#maxLine);
    const characters = this.#characters - before + sizeOf(again ?? line, this.#maxLine);
    if (characters > room) return false;
    this.#characters = characters;
    if (again === undefined) this.#lines.push(line);
    else this.#lines[this.#lines.length - 1] = again;
    return true;
  }

  /** Removes and returns the oldest line, but never the newest; undefined if there is no other. */
  dropOldest(): Line | undefined {
    const line = this.#lines[this.#gone];
    if (line === undefined || this.#gone + 1 >= this.#lines.length) return undefined;
    this.#gone += 1;
    this.#characters -= sizeOf(line, this.#maxLine);
    if (this.#gone >= MAX_GONE) {
      this.#lines = this.lines();
      this.#gone = 0;
    }
    return line;
  }
}

/** Returns the characters of a line as shown, with its repetitions and line ends. */
export function sizeOf(line: Line, maxLine: number): number {
  const once = Math.min(line.length, maxLine) + 1;
  return once + (isCounted(line, once) ? counted(line.more).length + 1 : line.more * once);
}

/** Returns a line as shown, with its repetitions. */
export function shownLines(line: Line, maxLine: number, advice: Advice | undefined): string[] {
  const text = textOf(line, maxLine, advice);
  if (isCounted(line, Math.min(line.length, maxLine) + 1)) return [text, counted(line.more)];
  return Array.from({ length: line.more + 1 }, () => text);
}

/** Returns a note about a missing part, with advice on how to read it. */
export function leftOut(what: string, offset: number, advice: Advice | undefined): string {
  const how = advice === undefined ? "" : `: ${advice(offset).slice(0, MAX_ADVICE_CHARACTERS)}`;
  return `[… ${what} left out${how} …]`;
}

/** Returns the last characters of a text, without splitting a surrogate pair. */
export function endOf(text: string, characters: number): string {
  const from = Math.max(0, text.length - characters);
  return text.slice(from > 0 && isPair(text, from - 1) ? from + 1 : from);
}

/** Returns the first characters of a text, without splitting a surrogate pair. */
function startOf(text: string, characters: number): string {
  const isCut = characters < text.length && isPair(text, characters - 1);
  return text.slice(0, isCut ? characters - 1 : characters);
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}

function textOf(line: Line, maxLine: number, advice: Advice | undefined): string {
  const { first, last, length, from } = line;
  const isWhole = hasAll(line);
  if (isWhole && length <= maxLine) return first + last;
  const each = Math.floor((maxLine - MAX_NOTE_CHARACTERS) / 2);
  const start = startOf(first, each);
  const end = endOf(isWhole ? first + last : last, each);
  const missing = `${length - start.length - end.length} characters of this line`;
  return `${start}${leftOut(missing, from.offset + Buffer.byteLength(start), advice)}${end}`;
}

function hasAll({ first, last, length }: Line): boolean {
  return first.length + last.length === length;
}

/** Compares two lines. Lines whose middle is missing may differ there, so they are never equal. */
function isSame(line: Line, other: Line): boolean {
  return (
    line.length === other.length &&
    hasAll(line) &&
    hasAll(other) &&
    (line.first === other.first || line.last !== "" || other.last !== "") &&
    line.first + line.last === other.first + other.last
  );
}

function addTo(line: Line, other: Line): Line {
  const { first, last, length, more, from } = line;
  return { first, last, length, more: more + 1 + other.more, from };
}

/** Returns true if repetitions are counted, which must make the text shorter. */
function isCounted({ more }: Line, once: number): boolean {
  return more >= MIN_COUNTED && more * once > counted(more).length + 1;
}

function counted(more: number): string {
  return `[the line above, ${more} more times]`;
}
