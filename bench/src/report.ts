import { type Aim, meetsAim, type Row, ratioOf } from "./suite.ts";

const HEADINGS = ["", "ours", "theirs", "ratio", "aim"] as const;

/** Rows as a table for people; numbers are right-aligned. */
export function toTable(rows: readonly Row[]): string {
  const lines = [
    [...HEADINGS],
    ...rows.map((row) => [
      row.name,
      figure(row.ours, row.unit),
      typeof row.theirs === "number" ? figure(row.theirs, row.unit) : (row.theirs ?? "–"),
      ratioOf(row)?.toFixed(2) ?? "–",
      row.aim === undefined
        ? "–"
        : `${aimText(row.aim)}${{ true: " ✓", false: " ✗", null: "" }[`${meetsAim(row)}`]}`,
    ]),
  ];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Rows as programs want them. */
export function toJson(rows: readonly Row[]): unknown[] {
  return rows.map(({ name, unit, ours, theirs, aim }) => {
    const row = { name, unit, ours, theirs, ...(aim === undefined ? {} : { aim }) };
    return {
      ...row,
      ratio: ratioOf(row),
      aim: aim === undefined ? null : aimText(aim),
      met: meetsAim(row),
    };
  });
}

function aimText(aim: Aim): string {
  return "atMost" in aim ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`;
}

function figure(value: number, unit: Row["unit"]): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}
