/** Lets pieces of work on the same key go on one after the other, in the order in which they came; on other keys at once. */
export class Turns<K> {
  /** The last piece of work of each key; a key is in it only while somebody works on it. */
  readonly #last = new Map<K, Promise<void>>();

  /** Does the work when it is its turn. Throws what it throws; the next goes on all the same. */
  async take<T>(key: K, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(key, promise);
    try {
      await before;
      return await work();
    } finally {
      if (this.#last.get(key) === promise) this.#last.delete(key);
      resolve();
    }
  }
}
