import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { Holdings } from "./holdings.ts";

/** The shared places, described for those who are refused. */
export interface Shared {
  readonly capacity: number;
  /** The name of the places in the plural, such as "sessions". */
  readonly what: string;
  /** The next step for a caller who is refused. */
  readonly next: string;
}

/**
 * Shares a number of places among keys. No place can be taken back, so nobody may take all: a key's share is
 * F² / (C + F), where C is the capacity and F the part of it that all other keys leave free. The first key
 * gets half, and however keys come and go, n keys leave an (n + 1)th free (less at most one place each for
 * rounding), so the next key finds room. A free place is never refused to a key that holds none.
 */
export class Shares {
  readonly #what: string;
  readonly #next: string;
  readonly #held = new Holdings();
  /** Waiting callers by key, in the order of the keys' turns; those of one key in the order of asking. */
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

  /** Sets the capacity, at any time. Places beyond it stay taken until they are given back. */
  set capacity(capacity: number) {
    this.#capacity = capacity;
    this.#serve();
  }

  /** Number of places that are taken. */
  get used(): number {
    return this.#held.total;
  }

  /** Number of keys that hold places or wait for one. */
  get keys(): number {
    return new Set([...this.#held.keys, ...this.#waiting.keys()]).size;
  }

  /** Returns the number of places that the key holds. */
  of(key: string): number {
    return this.#held.of(key);
  }

  /** Returns the most places that the key may hold now. */
  shareOf(key: string): number {
    const free = Math.max(0, this.#capacity - this.#held.total + this.#held.of(key));
    return free === 0 ? 0 : Math.ceil(free ** 2 / (this.#capacity + free));
  }

  /**
   * Takes a place, which is given back when it is disposed.
   * @throws CmdopError LimitExceeded if the key may take none now
   */
  take(key: string): Disposable {
    if (this.#mayTake(key)) return this.#place(key);
    throw new CmdopError("LimitExceeded", this.#refusal(key), { next: this.#next });
  }

  /**
   * Takes a place as soon as the key may have one. Keys take turns, however many callers of each wait.
   * @throws CmdopError Canceled if the signal aborts first
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

  /** Gives places to waiting callers, one key after the other, as long as one of them may take one. */
  #serve(): void {
    for (let key = this.#nextKey(); key !== undefined; key = this.#nextKey()) {
      const [first] = this.#waiting.get(key) ?? [];
      if (first === undefined) return;
      this.#waiting.get(key)?.delete(first);
      this.#putBehind(key);
      first(this.#place(key));
    }
  }

  /** Moves a key that has had its turn behind the other waiting keys. */
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
    return new CmdopError("Canceled", `The call ended before its turn came among the ${this.#what}.`);
  }
}
