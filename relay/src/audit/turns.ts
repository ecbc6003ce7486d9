import { pause } from "@cmdop/kit";

/**
 * Lets whoever reads the audit work one after the other, and rests after each for
 * as long as its work took: however many read at once, and however much there
 * is, half of the relay's thread is left for calls.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does a piece of work when it is its turn. Throws what it throws. */
  async take<T>(work: () => T): Promise<T> {
    const before = this.#last;
    const rested = Promise.withResolvers<void>();
    this.#last = rested.promise;
    await before;
    const beganAt = performance.now();
    try {
      return work();
    } finally {
      // At least a millisecond: what waits on the thread has its turn in between.
      void pause(performance.now() - beganAt).then(() => rested.resolve());
    }
  }
}
