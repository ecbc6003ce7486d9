/**
 * Amounts that keys hold of something that can be taken back. If all hold more than there may be, it is taken
 * from the keys that hold most, so a key that holds no more than an equal part loses nothing to others.
 */
export class Holdings {
  readonly #heldBy = new Map<string, number>();
  #total = 0;

  /** The amount that all keys hold together. */
  get total(): number {
    return this.#total;
  }

  /** The keys that hold something. */
  get keys(): string[] {
    return [...this.#heldBy.keys()];
  }

  of(key: string): number {
    return this.#heldBy.get(key) ?? 0;
  }

  /** Adds an amount that a key took; a negative one was given back. */
  count(key: string, amount: number): void {
    const held = this.of(key) + amount;
    this.#total += amount;
    if (held > 0) this.#heldBy.set(key, held);
    else this.#heldBy.delete(key);
  }

  /**
   * Returns the keys that hold more than their part of the capacity, the largest first; none if all together
   * do not exceed it. Parts are equal, except that keys with more get what those with less leave.
   */
  beyond(capacity: number): string[] {
    if (this.#total <= capacity) return [];
    const largestFirst = [...this.#heldBy].sort(([, a], [, b]) => b - a);
    let [left, keys] = [capacity, largestFirst.length];
    for (const [, held] of largestFirst.toReversed()) {
      if (held > left / keys) break;
      left -= held;
      keys -= 1;
    }
    return largestFirst.slice(0, keys).map(([key]) => key);
  }
}
