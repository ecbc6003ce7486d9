import type { ErasedPart, TerminalActions } from "./escape-reader.ts";
import type { Place } from "./line-list.ts";

/** Rows that can still be drawn over: what a program that draws several lines again goes back by, on a large screen. */
const MAX_OPEN_ROWS = 64;

/** Where a row ends of itself: programs that draw a line again know of no wider terminal, and a row must not grow for ever. */
const MAX_COLUMNS = 4_096;

/** Moving right of a row's end makes so many columns at most: a sequence of some bytes must not make thousands of them. */
const MAX_PADDED_COLUMNS = 100;

interface Row {
  /** As it was written, while nothing was drawn over. */
  text: string;
  /** A character each, once something was. */
  cells: string[] | undefined;
  /** Whether its line goes on in the next row. */
  wraps: boolean;
  readonly from: Place;
}

/** Takes rows that can't change any more, in their order. `isEnd`: whether their line ends with them. */
export type TakeRow = (text: string, isEnd: boolean, from: Place) => void;

/** The newest rows of a terminal without a right or a lower edge. */
export class TerminalRows implements TerminalActions {
  readonly #take: TakeRow;
  /** Where a row begins that begins now. */
  readonly #position: () => Place;
  /** Those before #gone have been taken. */
  #rows: Row[];
  #gone = 0;
  #y = 0;
  /** Undefined at the row's end. */
  #x: number | undefined;

  constructor(take: TakeRow, position: () => Place) {
    this.#take = take;
    this.#position = position;
    this.#rows = [newRow(position())];
  }

  /** The same rows for another taker. */
  copyFor(take: TakeRow): TerminalRows {
    const copy = new TerminalRows(take, this.#position);
    copy.#rows = this.#rows.slice(this.#gone).map((row) => ({ ...row, cells: row.cells?.slice() }));
    copy.#y = this.#y - this.#gone;
    copy.#x = this.#x;
    return copy;
  }

  /** Gives up all rows; the last one's line has not ended. */
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
    // Now and then, not with each row: it moves the others.
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
    // Below the last row there is one more.
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

  /** To an empty row below all others. */
  moveElsewhere(): void {
    this.#y = this.#rows.length - 1;
    this.#x = 0;
    const { text, cells = text } = this.#row;
    if (cells.length > 0) this.newLine();
  }

  eraseLine(part: ErasedPart): void {
    // Programs end coloured text so: nothing is there to be erased.
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

  /** The cursor's, from 0. */
  get #column(): number {
    return this.#x ?? cellsOf(this.#row).length;
  }

  #isAtEnd(row: Row): boolean {
    return this.#x === undefined || (this.#x === 0 && row.text === "");
  }

  /** Writes behind what is there; how many characters of the text. */
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

  /** Writes over what is there, up to the end of the text or of the row; how many characters of the text. */
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
    // Whoever draws over a row from its end on goes on below it.
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

/** Whoever draws over a row fills it with spaces to clear it. */
function textOf({ text, cells }: Row): string {
  return cells === undefined ? text : cells.join("").trimEnd();
}

/** The last place up to `end` at which no pair is cut. */
function wholeEnd(text: string, end: number): number {
  const isPair = end < text.length && (text.codePointAt(end - 1) ?? 0) > 0xffff;
  return isPair ? end - 1 : end;
}
