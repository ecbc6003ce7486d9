import { coloured, mayColour, type Style } from "./colour.ts";
import { printable } from "./printable.ts";
import { cutToWidth, padToWidth, textWidth } from "./text-width.ts";

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Columns that are left when others need the place; the whole column unless given. */
  readonly minWidth?: number;
}

/** A cell: its text, and its style where there are colours. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** Place and colours that a table has. */
export interface TableView {
  /** Columns of the terminal; unlimited unless given. */
  readonly width?: number | undefined;
  /** True where colours may be written. */
  readonly colours?: boolean;
}

/** Between two columns. */
const GAP = "  ";
export const GAP_WIDTH = GAP.length;

/** The view of standard output: as wide as its terminal, unlimited elsewhere. */
export function standardView(): TableView {
  return { width: process.stdout.columns, colours: mayColour(process.stdout) };
}

/**
 * Rows below a heading, in columns that fit the view. The widest column that can
 * shrink does so first, and its longer cells end with `…`. What comes from afar is
 * made printable.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  view: TableView,
): string {
  const natural = columns.map(({ title }, column) =>
    Math.max(textWidth(title), ...rows.map((row) => textWidth(printable(textOf(row[column]))))),
  );
  const widths = fittedWidths(columns, natural, view.width);
  const head = columns.map(({ title }): Cell => ({ text: title, style: "head" }));
  return [head, ...rows].map((row) => tableLine(row, widths, view)).join("");
}

/**
 * One line of a table whose columns are so wide: for rows that come one after the other. Longer cells are
 * cut in a view that has a width, and push the rest to the right elsewhere.
 */
export function tableLine(row: readonly Cell[], widths: readonly number[], view: TableView): string {
  const cells = row.map((cell, column) => {
    const width = widths[column] ?? Number.POSITIVE_INFINITY;
    const whole = printable(textOf(cell));
    const text = view.width === undefined ? whole : cutToWidth(whole, width);
    // The last cell needs no spaces behind it.
    const padded = column === row.length - 1 ? text : padToWidth(text, width);
    return typeof cell === "string" || !view.colours ? padded : coloured(padded, cell.style);
  });
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** Facts as people read them: a name and its value a line. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => textWidth(name)));
  return rows.map((row) => tableLine(row, [width], {})).join("");
}

/**
 * The widths of columns whose natural widths are these, on a line of at most `maxWidth`:
 * the widest that can shrink gives way first. Where nothing can shrink any more, the last
 * columns have what is left.
 */
export function fittedWidths(
  columns: readonly Column[],
  natural: readonly number[],
  maxWidth = Number.POSITIVE_INFINITY,
): number[] {
  const widths = [...natural];
  const least = columns.map(({ minWidth }, column) => Math.min(minWidth ?? Infinity, natural[column] ?? 0));
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - maxWidth;
  while (over > 0) {
    const slack = widths.map((width, column) => (width > (least[column] ?? 0) ? width : 0));
    const widest = slack.indexOf(Math.max(...slack));
    if ((slack[widest] ?? 0) === 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  for (let column = widths.length - 1; over > 0 && column >= 0; column -= 1) {
    const taken = Math.min(over, widths[column] ?? 0);
    widths[column] = (widths[column] ?? 0) - taken;
    over -= taken;
  }
  return widths;
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}
