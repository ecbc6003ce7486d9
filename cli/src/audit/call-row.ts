import { shortId } from "../console/short-ids.ts";
import { type Cell, fittedWidths, GAP_WIDTH, type TableView, tableLine } from "../console/table.ts";
import { isoTime } from "../console/time.ts";
import { shortMethod } from "../policy/method-name.ts";

/** One call, from the records of relay and machine together. */
export interface KnownCall {
  /** Time in milliseconds since 1970, by the clock of the first to record it. */
  readonly at: number;
  readonly key: string | null;
  keyName: string;
  machine: string;
  readonly method: string;
  /** The command or path of the call; empty until the machine's record has come. */
  what: string;
}

/** A line of the audit: time, key, machine, method, end, content. */
export type AuditRow = readonly [string, string, string, string, string, string];

const COLUMNS = [
  { title: "TIME" },
  { title: "KEY", minWidth: 8 },
  { title: "MACHINE", minWidth: 8 },
  { title: "METHOD", minWidth: 10 },
  { title: "END", minWidth: 10 },
];

/** Widths of these columns in characters; lines come one after the other, so what is to come is not known. */
const WIDTHS = [20, 14, 12, 16, 20];

/** Least place for the content, on a terminal. */
const MIN_WHAT_WIDTH = 20;

/** Returns the heading, and a function that formats a row below it. */
export function auditLayout(view: TableView): { head: string; line: (row: AuditRow) => string } {
  const rest = view.width === undefined ? undefined : view.width - MIN_WHAT_WIDTH - GAP_WIDTH;
  const fixed = fittedWidths(COLUMNS, WIDTHS, rest);
  const taken = fixed.reduce((sum, width) => sum + width + GAP_WIDTH, 0);
  const widths = [...fixed, Math.max(0, (view.width ?? Number.POSITIVE_INFINITY) - taken)];
  const line = (row: readonly Cell[]): string => tableLine(row, widths, view);
  const head = line([...COLUMNS.map(({ title }) => title), "WHAT"].map((text) => ({ text, style: "head" })));
  return { head, line };
}

/** Makes a row of the audit. */
export function auditRow(call: Omit<KnownCall, "at">, at: number, end: string): AuditRow {
  const { key, keyName, machine, method, what } = call;
  const who = keyName === "" ? (key === null ? "?" : shortId(key)) : keyName;
  return [isoTime(at), who, machine === "" ? "-" : machine, shortMethod(method), end, what];
}

/** Formats a duration for people. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
