import {
  type Advice,
  endOf,
  type Line,
  LineList,
  leftOut,
  MAX_NOTE_CHARACTERS,
  type Place,
  shownLines,
  sizeOf,
} from "./line-list.ts";

/** Bounds of the kept part of an output. */
export interface KeptBounds {
  /**
   * Most characters of the text, at least MIN_KEPT_CHARACTERS. Of a longer output, a quarter is kept from its
   * beginning and the rest from its end.
   */
  readonly maxCharacters: number;
  /** Explains how to read the part that was left out. */
  readonly advice?: Advice | undefined;
}

/** The kept part of an output. */
export interface KeptText {
  readonly text: string;
  /** True if anything was left out. Repeated lines that are counted are not left out. */
  readonly isCut: boolean;
  /** The last line that is not blank. */
  readonly lastLine: string;
}

/** Smallest bound: with a smaller one, notes would fill the text. */
const MIN_KEPT_CHARACTERS = 2_048;

/**
 * The lines of an output: all of them while they fit, then its beginning and its end. Memory is bounded, and
 * each character is copied a fixed number of times, however long the output is.
 */
export class KeptLines {
  readonly #bounds: KeptBounds;
  readonly #max: number;
  /** Most characters of the beginning, and of one line among others, once not everything fits. */
  readonly #maxFirst: number;
  readonly #maxLast: number;
  /** The beginning, once not everything fits. */
  #first: LineList | undefined;
  #firstIsFull = false;
  #last: LineList;
  /** The part left out between both. */
  #gap: { readonly from: Place; readonly lines: number } | undefined;
  #open: Line | undefined;

  constructor(bounds: KeptBounds) {
    this.#bounds = bounds;
    this.#max = Math.max(MIN_KEPT_CHARACTERS, bounds.maxCharacters);
    this.#maxFirst = Math.floor(this.#max / 4);
    this.#maxLast = this.#max - this.#maxFirst - MAX_NOTE_CHARACTERS;
    this.#last = new LineList(this.#max);
  }

  copy(): KeptLines {
    const copy = new KeptLines(this.#bounds);
    copy.#first = this.#first?.copy();
    copy.#firstIsFull = this.#firstIsFull;
    copy.#last = this.#last.copy();
    copy.#gap = this.#gap;
    copy.#open = this.#open;
    return copy;
  }

  /** Adds a part of a line. `isEnd`: true for its last part. `from`: the place of the part. */
  add(text: string, isEnd: boolean, from: Place): void {
    const { length } = text;
    const open = this.#open
      ? this.#longer(this.#open, text)
      : { first: text, last: "", length, more: 0, from };
    this.#open = open;
    if (this.#last.characters + open.length > this.#max) this.#cut();
    if (isEnd) this.#close(open, 1);
  }

  /**
   * Returns the text; nothing can be added afterwards. If the last line has not ended, the text has no line
   * end either.
   */
  end(): KeptText {
    const open = this.#open;
    const isOpen = open !== undefined && open.length > 0;
    if (isOpen) this.#close(open, 0);
    const first = this.#first?.lines() ?? [];
    const last = this.#last.lines();
    const maxLine = this.#longestShown([...first, ...last]);
    const show = (line: Line): string[] => shownLines(line, maxLine, this.#bounds.advice);
    const shown = [...first.flatMap(show), ...this.#gapNote(last[0]), ...last.flatMap(show)];
    const end = isOpen || shown.length === 0 ? "" : "\n";
    const newest = [...first, ...last].findLast((line) => line.first.trim() !== "");
    return {
      text: shown.join("\n") + end,
      isCut: this.#first !== undefined,
      lastLine: newest?.first ?? "",
    };
  }

  #longer(line: Line, text: string): Line {
    const length = line.length + text.length;
    if (this.#first === undefined || line.first.length < this.#maxLast)
      return { ...line, first: line.first + text, length };
    const last = line.last + text;
    // Cuts rarely, not with each part, because each cut copies.
    return { ...line, last: last.length > 2 * this.#maxLast ? endOf(last, this.#maxLast) : last, length };
  }

  /** Ends a line. `lineEnd`: characters of its line end. */
  #close(line: Line, lineEnd: number): void {
    this.#open = undefined;
    this.#push(line);
    if (this.#last.characters - 1 + lineEnd > this.#max) this.#cut();
  }

  /** Switches to keeping a beginning and an end. */
  #cut(): void {
    if (this.#first !== undefined) return;
    const lines = this.#last.lines();
    this.#first = new LineList(this.#maxFirst);
    this.#last = new LineList(this.#maxFirst);
    for (const line of lines) this.#push(line);
  }

  #push(line: Line): void {
    if (this.#first !== undefined && !this.#firstIsFull) {
      if (this.#first.add(line, this.#maxFirst)) return;
      this.#firstIsFull = true;
    }
    this.#last.add(line, Number.POSITIVE_INFINITY);
    if (this.#first === undefined) return;
    while (this.#last.characters > this.#maxLast) {
      const dropped = this.#last.dropOldest();
      if (dropped === undefined) return;
      const { from, lines } = this.#gap ?? { from: dropped.from, lines: 0 };
      this.#gap = { from, lines: lines + 1 + dropped.more };
    }
  }

  /** Returns the most characters of a line: if there are few lines, a long one may use the room of others. */
  #longestShown(lines: readonly Line[]): number {
    if (this.#first === undefined) return this.#max;
    const all = lines.reduce((sum, line) => sum + sizeOf(line, this.#maxLast), 0);
    return all + MAX_NOTE_CHARACTERS <= this.#max ? this.#maxLast : this.#maxFirst;
  }

  #gapNote(next: Line | undefined): string[] {
    if (this.#gap === undefined || next === undefined) return [];
    const { from, lines } = this.#gap;
    const what = `${next.from.bytes - from.bytes} bytes in ${lines} ${lines === 1 ? "line" : "lines"}`;
    return [leftOut(what, from.offset, this.#bounds.advice)];
  }
}
