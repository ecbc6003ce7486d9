import { InvalidArgumentError } from "commander";
import { secondsOf } from "./duration.ts";

/** The last moment that a JavaScript date can hold, in milliseconds since 1970. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** A time of afar in ISO, to the second; what is no time is shown as the number that it is. */
export function isoTime(ms: number): string {
  if (!(Math.abs(ms) <= MAX_TIME_MS)) return String(ms);
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The same, or a word where there is none. */
export function isoTimeOr(ms: number | null, word: string): string {
  return ms === null ? word : isoTime(ms);
}

/**
 * Reads a moment: `2h` is two hours ago, otherwise an ISO time, as
 * `2026-11-23T13:00Z` or `2026-11-23`. The result is in milliseconds since 1970.
 */
export function parseMoment(text: string, nowMs = Date.now()): number {
  const ago = secondsOf(text);
  if (ago !== undefined) return nowMs - ago * 1000;
  const ms = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError("Give it as 30m, 2h, 7d or 2026-11-23T13:00Z.");
  return ms;
}
