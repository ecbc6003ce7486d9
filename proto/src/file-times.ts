/** What a time in milliseconds is off by at most in this century, in microseconds. */
const ROUNDING_US = 0.13;

/**
 * What `utimes` takes, so that the time is read back to the microsecond: Node
 * takes seconds as a double, and the system cuts off what that has too little.
 */
export function utimesArgument(timeMs: number): number | Date {
  // A negative number means now, and a date what it says.
  if (timeMs < 0) return new Date(timeMs);
  const wantedUs = Math.floor(timeMs * 1000 + ROUNDING_US);
  const seconds = wantedUs / 1e6;
  return isCutOff(seconds, wantedUs) ? seconds * (1 + Number.EPSILON) : seconds;
}

function isCutOff(seconds: number, wantedUs: number): boolean {
  const whole = Math.floor(seconds);
  return Math.floor((seconds - whole) * 1e6) < wantedUs - whole * 1e6;
}
