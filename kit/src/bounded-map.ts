/**
 * A map of bounded size: a new key beyond it puts out the key that was set
 * longest ago. Setting a key again makes it the newest; reading does not.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #maxEntries: number;
  readonly #onForgotten: ((key: K, value: V) => void) | undefined;

  /** `maxEntries`: keys at once. `onForgotten` is called with what had to make room. */
  constructor(maxEntries: number, onForgotten?: (key: K, value: V) => void) {
    if (!(maxEntries >= 1))
      throw new RangeError(`A bounded map holds at least one entry, not ${maxEntries}.`);
    this.#maxEntries = maxEntries;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Sets a key, as the newest. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#maxEntries) return;
    for (const [oldest, forgotten] of this.#entries) {
      this.#entries.delete(oldest);
      this.#onForgotten?.(oldest, forgotten);
      return;
    }
  }

  /** Takes a key out; false where it was not in. `onForgotten` is not called. */
  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The keys, the oldest first. */
  keys(): MapIterator<K> {
    return this.#entries.keys();
  }

  /** The values, the oldest first. */
  values(): MapIterator<V> {
    return this.#entries.values();
  }

  /** Keys and values, the oldest first. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#entries.entries();
  }
}
