/** A time in milliseconds since 1970 for people; a machine may send any number, also one that is no date. */
export function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `time ${timeMs}` : date.toISOString();
}
