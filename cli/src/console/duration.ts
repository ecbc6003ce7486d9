import { InvalidArgumentError } from "commander";

const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 60 * 60, d: 24 * 60 * 60 };

/** Reads `30s`, `5m`, `2h` or `90d`; the result is in seconds. */
export function parseDuration(text: string): number {
  const seconds = secondsOf(text);
  if (seconds === undefined) throw new InvalidArgumentError("Give it as 30s, 5m, 2h or 90d.");
  return seconds;
}

/** The seconds of `30s`, `5m`, `2h` or `90d`; undefined for anything else. */
export function secondsOf(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : SECONDS_PER_UNIT[unit];
  if (digits === undefined || factor === undefined || Number(digits) === 0) return undefined;
  return Number(digits) * factor;
}
