/** A number of places for each key, given in the order of asking. */
export class KeyPlaces {
  readonly #perKey: number;
  readonly #keys = new Map<string, { taken: number; readonly waiting: (() => void)[] }>();

  constructor(perKey: number) {
    this.#perKey = perKey;
  }

  /** Takes a place; a promise where it has to be waited for. It is taken in any case, and to be left. */
  enter(key: string): Promise<void> | undefined {
    const places = this.#keys.get(key) ?? { taken: 0, waiting: [] };
    this.#keys.set(key, places);
    if (places.taken >= this.#perKey) return new Promise((resolve) => places.waiting.push(resolve));
    places.taken += 1;
    return undefined;
  }

  leave(key: string): void {
    const places = this.#keys.get(key);
    if (places === undefined) return;
    const next = places.waiting.shift();
    if (next === undefined) places.taken -= 1;
    else next();
    if (places.taken === 0) this.#keys.delete(key);
  }
}
