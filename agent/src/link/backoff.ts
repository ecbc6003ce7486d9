/** The longest pause between two attempts to reach the relay, in milliseconds: a machine is back a few seconds after its relay. */
export const MAX_BACKOFF_MS = 5_000;

/** The pause before the first attempt again may be anything up to this, in milliseconds. */
export const FIRST_BACKOFF_MS = 500;

/** Full jitter: anywhere between nothing and an exponentially growing bound, so that a thousand agents do not return as one. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 16));
}
