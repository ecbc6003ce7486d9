import { printable } from "../console/printable.ts";
import { isoTime } from "../console/time.ts";
import { shortMethod } from "../policy/method-name.ts";

/** What is known of one call, from the records of relay and machine together. */
export interface KnownCall {
  /** By the clock of whoever recorded it first, in milliseconds since 1970. */
  readonly at: number;
  readonly key: string | null;
  keyName: string;
  machine: string;
  readonly method: string;
  /** What was to be done; empty while the machine has not said. */
  what: string;
}

/** Widths of the columns; what is longer pushes the rest to the right. */
const WIDTHS = [20, 14, 12, 16, 20] as const;

/** One line of the audit: time, who, where, which method, how it ended, what. What comes from afar is made printable. */
export function auditLine(call: Omit<KnownCall, "at">, at: number, end: string): string {
  const { key, keyName, machine, method, what } = call;
  // A key's id has 43 characters; its beginning is enough to find it again.
  const who = keyName === "" ? (key?.slice(0, 12) ?? "?") : keyName;
  const cells = [isoTime(at), who, machine === "" ? "-" : machine, shortMethod(method), end].map(printable);
  const columns = cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0));
  return `${[...columns, printable(what)].join("  ").trimEnd()}\n`;
}

/** A duration as people read it. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
