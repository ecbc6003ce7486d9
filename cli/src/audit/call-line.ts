import { printable } from "../console/printable.ts";
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

/** Widths of the columns in characters; a longer cell pushes the rest to the right. */
const WIDTHS = [20, 14, 12, 16, 20] as const;

/**
 * Formats one line of the audit: time, key, machine, method, end, content. Text from other machines is made
 * printable.
 */
export function auditLine(call: Omit<KnownCall, "at">, at: number, end: string): string {
  const { key, keyName, machine, method, what } = call;
  // A key's id has 43 characters; its beginning is enough to find it.
  const who = keyName === "" ? (key?.slice(0, 12) ?? "?") : keyName;
  const cells = [isoTime(at), who, machine === "" ? "-" : machine, shortMethod(method), end].map(printable);
  const columns = cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0));
  return `${[...columns, printable(what)].join("  ").trimEnd()}\n`;
}

/** Formats a duration for people. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
