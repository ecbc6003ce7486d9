/** How much each key holds of something that keys share. */
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
   * The keys that hold more than an equal part of the capacity, whoever holds
   * most first: in this order what can be taken back is taken back. There is one
   * wherever more than the capacity is held, and never one that only asked for
   * its part.
   */
  beyond(capacity: number): string[] {
    const part = capacity / this.#heldBy.size;
    return [...this.#heldBy]
      .filter(([, held]) => held > part)
      .sort(([, a], [, b]) => b - a)
      .map(([key]) => key);
  }
}
