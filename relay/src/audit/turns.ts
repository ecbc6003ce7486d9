import { pause } from "@cmdop/kit";

/**
 * Lets the readers of the audit work one after the other, with a rest as long as the work after each. So half
 * of the relay's thread is left for calls, however many readers and records there are.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does a piece of work when it is its turn, and rethrows its error. */
  async take<T>(work: () => T): Promise<T> {
    const before = this.#last;
    const rested = Promise.withResolvers<void>();
    this.#last = rested.promise;
    await before;
    const beganAt = performance.now();
    try {
      return work();
    } finally {
      // The rest lasts at least a millisecond, so that other work on the thread gets its turn.
      void pause(performance.now() - beganAt).then(() => rested.resolve());
    }
  }
}
