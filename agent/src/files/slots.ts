import { onAbort } from "@cmdop/proto";
import { stopIfCanceled } from "./errors.ts";

/** Who works for nobody in particular. */
const NOBODY = "";

interface Waiting {
  readonly key: string;
  readonly take: () => void;
}

/** A number of places for work that costs memory or a thread. No key has all of them. */
export class Slots {
  readonly #perKey: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #free: number;

  constructor(count: number, perKey = count) {
    this.#free = count;
    this.#perKey = perKey;
  }

  /** A place, given back when it is disposed; undefined where none is free for that key. */
  tryEnter(key = NOBODY): Disposable | undefined {
    if (!this.#mayEnter(key)) return undefined;
    this.#free -= 1;
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1);
    return this.#place(key);
  }

  /** A place as soon as there is one, in the order of asking. Throws Canceled when the signal aborts first. */
  async enter(key = NOBODY, signal: AbortSignal, verb: string, path: string): Promise<Disposable> {
    const place = this.tryEnter(key);
    if (place !== undefined) return place;
    const { promise, resolve } = Promise.withResolvers<Disposable | undefined>();
    const waiting = { key, take: () => resolve(this.tryEnter(key)) };
    this.#waiting.add(waiting);
    const stopListening = onAbort(signal, () => {
      if (this.#waiting.delete(waiting)) resolve(undefined);
    });
    const given = await promise;
    stopListening();
    if (given !== undefined) return given;
    stopIfCanceled(signal, verb, path);
    throw new TypeError("a place was promised that was not free");
  }

  #mayEnter(key: string): boolean {
    return this.#free > 0 && (this.#taken.get(key) ?? 0) < this.#perKey;
  }

  #place(key: string): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#free += 1;
        const left = (this.#taken.get(key) ?? 1) - 1;
        if (left === 0) this.#taken.delete(key);
        else this.#taken.set(key, left);
        this.#serve();
      },
    };
  }

  /** Gives the place that is free to the first that may take it. */
  #serve(): void {
    const next = [...this.#waiting].find(({ key }) => this.#mayEnter(key));
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.take();
  }
}
