/** Largest rounding error of a time in milliseconds in this century, in microseconds. */
const ROUNDING_US = 0.13;

/**
 * Returns an argument for `utimes` with which the time is read back exactly to the microsecond: Node takes
 * seconds as a double, and the system truncates, so a rounding error downwards would lose one.
 */
export function utimesArgument(timeMs: number): number | Date {
  // To Node a negative number means now; a date is taken as it is.
  if (timeMs < 0) return new Date(timeMs);
  const wantedUs = Math.floor(timeMs * 1000 + ROUNDING_US);
  const seconds = wantedUs / 1e6;
  return isCutOff(seconds, wantedUs) ? seconds * (1 + Number.EPSILON) : seconds;
}

function isCutOff(seconds: number, wantedUs: number): boolean {
  const whole = Math.floor(seconds);
  return Math.floor((seconds - whole) * 1e6) < wantedUs - whole * 1e6;
}
