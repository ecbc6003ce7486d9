import { printable } from "./printable.ts";

/** Rows as people read them: columns aligned, what comes from afar made printable, lines cut at `maxWidth`. */
export function table(
  rows: readonly (readonly string[])[],
  maxWidth: number | undefined = Number.POSITIVE_INFINITY,
): string {
  const shown = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of shown) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return shown
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd().slice(0, maxWidth)}\n`)
    .join("");
}
