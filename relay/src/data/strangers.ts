import { addressGroup } from "./address-group.ts";

/** A connection that has not shown a credential yet. */
interface Stranger {
  readonly group: string;
  readonly evict: () => void;
}

/**
 * Connections that have not shown a credential yet, by address. There is room
 * for so many; beyond it the oldest is thrown out, since whoever has a
 * credential shows it within milliseconds and is a stranger no more. So idle
 * connections cost a fixed amount of memory and lock nobody out.
 */
export class Strangers {
  readonly #max: number;
  readonly #maxPerAddress: number;
  // Sets keep the order of insertion: the first is the oldest.
  readonly #all = new Set<Stranger>();
  readonly #groups = new Map<string, Set<Stranger>>();

  constructor(max: number, maxPerAddress: number) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Takes a stranger in, throwing out others where there is no room. Call what it returns once it is known, or gone. */
  add(address: string, evict: () => void): () => void {
    const stranger = { group: addressGroup(address), evict };
    const group = this.#groups.get(stranger.group) ?? new Set();
    this.#groups.set(stranger.group, group.add(stranger));
    this.#all.add(stranger);
    const [oldestHere] = group;
    if (group.size > this.#maxPerAddress && oldestHere !== undefined) this.#throwOut(oldestHere);
    const [oldest] = this.#all;
    if (this.#all.size > this.#max && oldest !== undefined) this.#throwOut(oldest);
    return () => this.#forget(stranger);
  }

  #throwOut(stranger: Stranger): void {
    this.#forget(stranger);
    stranger.evict();
  }

  #forget(stranger: Stranger): void {
    this.#all.delete(stranger);
    const group = this.#groups.get(stranger.group);
    group?.delete(stranger);
    if (group?.size === 0) this.#groups.delete(stranger.group);
  }
}
