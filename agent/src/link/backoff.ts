/** Pauses between two attempts to reach the relay, in milliseconds. */
export interface Backoff {
  /** The pause before the first attempt again may be anything up to this. */
  readonly firstPauseMs: number;
  /** The longest pause. */
  readonly maxPauseMs: number;
}

/** A machine is back a few seconds after its relay. */
export const DEFAULT_BACKOFF: Backoff = { firstPauseMs: 500, maxPauseMs: 5_000 };

/** Full jitter: anywhere between nothing and an exponentially growing bound, so that a thousand agents do not return as one. */
export function backoffMs(
  failures: number,
  { firstPauseMs, maxPauseMs }: Backoff,
  random: () => number = Math.random,
): number {
  return random() * Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(failures, 16));
}
