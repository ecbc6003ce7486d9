/**
 * How much each key holds of something that can be taken back: where all hold
 * more than there may be, it is taken from whoever holds most. So a key that
 * holds no more than an equal part loses nothing to others.
 */
export class Holdings {
  readonly #heldBy = new Map<string, number>();
  #total = 0;

  /** What all keys hold together. */
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

  /** Counts what a key took, or gave back where negative. */
  count(key: string, amount: number): void {
    const held = this.of(key) + amount;
    this.#total += amount;
    if (held > 0) this.#heldBy.set(key, held);
    else this.#heldBy.delete(key);
  }

  /**
   * The keys that hold more than their part of the capacity, whoever holds most
   * first; none where all hold no more than that together. Parts are equal, but
   * for what those who hold less leave to the others.
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
