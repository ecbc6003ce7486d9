import type { ErasedPart, TerminalActions } from "./escape-reader.ts";
import type { Place } from "./line-list.ts";

/**
 * Rows that can still be redrawn: as far as programs that redraw several lines move back, on a large screen.
 */
const MAX_OPEN_ROWS = 64;

/**
 * Columns after which a row wraps. Programs that redraw a line know no wider terminal, and a row must not
 * grow for ever.
 */
const MAX_COLUMNS = 4_096;

/**
 * Most blank columns that a move beyond a row's end adds: a sequence of a few bytes must not make thousands.
 */
const MAX_PADDED_COLUMNS = 100;

interface Row {
  /** The row as written, while nothing was overwritten. */
  text: string;
  /** One character each, once something was overwritten. */
  cells: string[] | undefined;
  /** True if its line continues in the next row. */
  wraps: boolean;
  readonly from: Place;
}

/** Receives rows that can't change any more, in their order. `isEnd`: true if their line ends with them. */
export type TakeRow = (text: string, isEnd: boolean, from: Place) => void;

/** The newest rows of a terminal that has no right or lower edge. */
export class TerminalRows implements TerminalActions {
  readonly #take: TakeRow;
  /** Returns the place in the output of a row that begins now. */
  readonly #position: () => Place;
  /** Rows; those before #gone have been passed on. */
  #rows: Row[];
  #gone = 0;
  #y = 0;
  /** Column of the cursor; undefined at the row's end. */
  #x: number | undefined;

  constructor(take: TakeRow, position: () => Place) {
    this.#take = take;
    this.#position = position;
    this.#rows = [newRow(position())];
  }

  /** Returns a copy of the rows with another receiver. */
  copyFor(take: TakeRow): TerminalRows {
    const copy = new TerminalRows(take, this.#position);
    copy.#rows = this.#rows.slice(this.#gone).map((row) => ({ ...row, cells: row.cells?.slice() }));
    copy.#y = this.#y - this.#gone;
    copy.#x = this.#x;
    return copy;
  }

  /** Passes on all rows; the line of the last one has not ended. */
  end(): void {
    this.#forgetGone();
    for (const [index, row] of this.#rows.entries())
      this.#take(textOf(row), index < this.#rows.length - 1 && !row.wraps, row.from);
    this.#restart();
  }

  print(text: string): void {
    for (let at = 0; at < text.length; ) {
      const row = this.#row;
      const printed =
        row.cells === undefined && this.#isAtEnd(row) ? this.#append(row, text, at) : this.#draw(text, at);
      at += printed;
    }
  }

  newLine(): void {
    this.#x = 0;
    this.#y += 1;
    if (this.#y < this.#rows.length) return;
    this.#rows.push(newRow(this.#position()));
    const oldest = this.#rows[this.#gone];
    if (oldest === undefined || this.#rows.length - this.#gone <= MAX_OPEN_ROWS) return;
    this.#take(textOf(oldest), !oldest.wraps, oldest.from);
    this.#gone += 1;
    // Done rarely, not with each row, because it moves the others.
    if (this.#gone === MAX_OPEN_ROWS) this.#forgetGone();
  }

  carriageReturn(): void {
    this.#x = 0;
  }

  backspace(): void {
    this.moveColumns(-1);
  }

  moveRows(rows: number): void {
    const column = this.#column;
    const y = Math.max(this.#gone, this.#y + rows);
    // A move below the last row adds one row.
    if (y < this.#rows.length) this.#y = y;
    else {
      this.#y = this.#rows.length - 1;
      this.newLine();
    }
    this.#x = column;
  }

  moveColumns(columns: number): void {
    this.moveToColumn(Math.max(0, this.#column + columns));
  }

  moveToColumn(column: number): void {
    this.#x = column;
  }

  /** Moves to an empty row below all others. */
  moveElsewhere(): void {
    this.#y = this.#rows.length - 1;
    this.#x = 0;
    const { text, cells = text } = this.#row;
    if (cells.length > 0) this.newLine();
  }

  eraseLine(part: ErasedPart): void {
    // Programs often end coloured text this way; there is nothing to erase.
    if (part === "rest" && this.#x === undefined) return;
    const column = this.#column;
    const cells = cellsOf(this.#row);
    if (part === "rest") cells.length = Math.min(cells.length, column);
    else if (part === "all") cells.length = 0;
    else cells.fill(" ", 0, Math.min(column + 1, MAX_PADDED_COLUMNS));
    this.#x = column;
  }

  eraseBelow(): void {
    this.eraseLine("rest");
    this.#rows.length = this.#y + 1;
    this.#row.wraps = false;
  }

  get #row(): Row {
    const row = this.#rows[this.#y];
    if (row === undefined) throw new RangeError("the cursor is outside of the rows");
    return row;
  }

  /** Column of the cursor, from 0. */
  get #column(): number {
    return this.#x ?? cellsOf(this.#row).length;
  }

  #isAtEnd(row: Row): boolean {
    return this.#x === undefined || (this.#x === 0 && row.text === "");
  }

  /** Writes after the row's text; returns the number of characters written. */
  #append(row: Row, text: string, at: number): number {
    const room = MAX_COLUMNS - row.text.length;
    const end = wholeEnd(text, Math.min(text.length, at + room));
    if (end === at) {
      this.#wrap(row);
      return 0;
    }
    row.text += text.slice(at, end);
    this.#x = undefined;
    return end - at;
  }

  /**
   * Overwrites the row's text, up to the end of the new text or of the row; returns the number of characters
   * written.
   */
  #draw(text: string, from: number): number {
    const row = this.#row;
    const cells = cellsOf(row);
    let x = this.#x ?? cells.length;
    if (x > cells.length) {
      x = Math.min(x, Math.max(cells.length, MAX_PADDED_COLUMNS));
      while (cells.length < x) cells.push(" ");
    }
    let at = from;
    while (at < text.length && x < MAX_COLUMNS) {
      const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
      cells[x] = character;
      at += character.length;
      x += 1;
    }
    this.#x = x;
    if (at < text.length) this.#wrap(row);
    return at - from;
  }

  #wrap(row: Row): void {
    // A program that overwrites a row beyond its end continues in the row below.
    if (this.#y === this.#rows.length - 1) row.wraps = true;
    this.newLine();
  }

  #forgetGone(): void {
    this.#rows.splice(0, this.#gone);
    this.#y -= this.#gone;
    this.#gone = 0;
  }

  #restart(): void {
    this.#rows = [newRow(this.#position())];
    this.#y = 0;
    this.#x = undefined;
  }
}

function newRow(from: Place): Row {
  return { text: "", cells: undefined, wraps: false, from };
}

function cellsOf(row: Row): string[] {
  row.cells ??= [...row.text];
  return row.cells;
}

/**
 * Returns a row's text. Programs that overwrite a row clear it with spaces, so those at its end are dropped.
 */
function textOf({ text, cells }: Row): string {
  return cells === undefined ? text : cells.join("").trimEnd();
}

/** Returns the last position up to `end` that does not split a surrogate pair. */
function wholeEnd(text: string, end: number): number {
  const isPair = end < text.length && (text.codePointAt(end - 1) ?? 0) > 0xffff;
  return isPair ? end - 1 : end;
}
