import { pause, type WaitOptions } from "./wait.ts";

/** Pauses between attempts, in milliseconds. */
export interface Pauses {
  /** The first pause is at most this long; each that follows at most twice the one before. */
  readonly firstPauseMs: number;
  /** No pause is longer. */
  readonly maxPauseMs: number;
}

/** Doublings beyond which every pause has long reached its maximum. */
const MAX_DOUBLINGS = 30;

/**
 * Growing pauses between attempts, with full jitter: each is anywhere between
 * nothing and a bound that doubles, so that a thousand clients do not return as
 * one. (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog.)
 */
export class Backoff {
  readonly #pauses: Pauses;
  readonly #random: () => number;
  #failures = 0;

  /** `random`: from 0 to below 1, as Math.random; or `atLeastHalf`. */
  constructor(pauses: Pauses, random: () => number = Math.random) {
    this.#pauses = pauses;
    this.#random = random;
  }

  /** Attempts that have failed since the last reset. */
  get failures(): number {
    return this.#failures;
  }

  /** The next pause in milliseconds; counts a failure. */
  nextMs(): number {
    const { firstPauseMs, maxPauseMs } = this.#pauses;
    const boundMs = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, MAX_DOUBLINGS));
    this.#failures += 1;
    return this.#random() * boundMs;
  }

  /** Waits for the next pause. False where the signal ended it. */
  wait(options: WaitOptions = {}): Promise<boolean> {
    return pause(this.nextMs(), options);
  }

  /** An attempt has gone well: the next pause is a first one. */
  reset(): void {
    this.#failures = 0;
  }
}

/**
 * For a Backoff whose attempts are counted: each pause is between half and all
 * of its bound, so that the attempts are not over in no time.
 */
export function atLeastHalf(): number {
  return 0.5 + Math.random() / 2;
}
