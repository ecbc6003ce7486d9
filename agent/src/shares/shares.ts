import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { Holdings } from "./holdings.ts";

/** What is shared, in words for those who are refused. */
export interface Shared {
  readonly capacity: number;
  /** What there is `capacity` of, in the plural: "sessions". */
  readonly what: string;
  /** What whoever is refused can do about it. */
  readonly next: string;
}

/**
 * Shares a number of places among keys, none of which can be made to give back
 * what it holds. So nobody may take all: a key's share is F² / (C + F), where C
 * is the capacity and F what all other keys leave free of it. The first key gets
 * half, and however they come and go, n keys leave an (n + 1)th free (less at
 * most one place each for rounding): whoever comes next finds room. A place that
 * is free is never refused to a key that holds none.
 */
export class Shares {
  readonly #what: string;
  readonly #next: string;
  readonly #held = new Holdings();
  /** By key, in the order of their turns; each key's own in the order of asking. */
  readonly #waiting = new Map<string, Set<(place: Disposable) => void>>();
  #capacity: number;

  constructor({ capacity, what, next }: Shared) {
    this.#capacity = capacity;
    this.#what = what;
    this.#next = next;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** May change at any time; what is held beyond it stays until it is given back. */
  set capacity(capacity: number) {
    this.#capacity = capacity;
    this.#serve();
  }

  /** Places that are taken. */
  get used(): number {
    return this.#held.total;
  }

  /** Keys that hold places, or wait for one. */
  get keys(): number {
    return new Set([...this.#held.keys, ...this.#waiting.keys()]).size;
  }

  /** Places that the key holds. */
  of(key: string): number {
    return this.#held.of(key);
  }

  /** What the key may hold at most, as things are now. */
  shareOf(key: string): number {
    const free = Math.max(0, this.#capacity - this.#held.total + this.#held.of(key));
    return free === 0 ? 0 : Math.ceil(free ** 2 / (this.#capacity + free));
  }

  /** A place, given back when it is disposed of. @throws CmdopError LimitExceeded where the key may take none now */
  take(key: string): Disposable {
    if (this.#mayTake(key)) return this.#place(key);
    throw new CmdopError("LimitExceeded", this.#refusal(key), { next: this.#next });
  }

  /**
   * A place as soon as the key may take one: keys take turns, however many each
   * lets wait. @throws CmdopError Canceled when the signal aborts first
   */
  async enter(key: string, signal: AbortSignal): Promise<Disposable> {
    if (signal.aborted) throw this.#left();
    if (this.#mayTake(key)) return this.#place(key);
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    const ofKey = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, ofKey.add(resolve));
    const stopListening = onAbort(signal, () => {
      if (!ofKey.delete(resolve)) return;
      if (ofKey.size === 0) this.#waiting.delete(key);
      reject(this.#left());
    });
    return promise.finally(stopListening);
  }

  #mayTake(key: string): boolean {
    return this.#held.of(key) < this.shareOf(key);
  }

  #place(key: string): Disposable {
    this.#held.count(key, 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#held.count(key, -1);
        this.#putBehind(key);
        this.#serve();
      },
    };
  }

  /** Gives places to those that wait, a key at a time, as long as one of them may take one. */
  #serve(): void {
    for (let key = this.#nextKey(); key !== undefined; key = this.#nextKey()) {
      const [first] = this.#waiting.get(key) ?? [];
      if (first === undefined) return;
      this.#waiting.get(key)?.delete(first);
      this.#putBehind(key);
      first(this.#place(key));
    }
  }

  /** Behind the other keys that wait: it has had a turn. */
  #putBehind(key: string): void {
    const ofKey = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (ofKey !== undefined && ofKey.size > 0) this.#waiting.set(key, ofKey);
  }

  #nextKey(): string | undefined {
    return [...this.#waiting.keys()].find((key) => this.#mayTake(key));
  }

  #refusal(key: string): string {
    const [capacity, held] = [this.#capacity, this.#held.of(key)];
    if (capacity === 0) return `This machine allows no ${this.#what}.`;
    if (this.#held.total >= capacity)
      return `All ${capacity} ${this.#what} that this machine allows are taken, ${held} of them by this key.`;
    return `This key has ${held} of the ${capacity} ${this.#what} that this machine allows, all of its share: ${capacity - this.#held.total} are kept free for other keys.`;
  }

  #left(): CmdopError {
    return new CmdopError("Canceled", `The call was over before it was its turn among the ${this.#what}.`);
  }
}
