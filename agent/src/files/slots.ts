import { onAbort } from "@cmdop/proto";
import { stopIfCanceled } from "./errors.ts";

/** A number of places for work that costs memory or a thread. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** A place, given back when it is disposed; undefined where none is free. */
  tryEnter(): Disposable | undefined {
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    return this.#place();
  }

  /** A place as soon as there is one, in the order of asking. Throws Canceled when the signal aborts first. */
  async enter(signal: AbortSignal, verb: string, path: string): Promise<Disposable> {
    const place = this.tryEnter();
    if (place !== undefined) return place;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = (): void => resolve(true);
    this.#waiting.add(take);
    const stopListening = onAbort(signal, () => {
      if (this.#waiting.delete(take)) resolve(false);
    });
    const given = await promise;
    stopListening();
    if (!given) stopIfCanceled(signal, verb, path);
    return this.#place();
  }

  #place(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const [next] = this.#waiting;
        if (next === undefined) this.#free += 1;
        else {
          this.#waiting.delete(next);
          next();
        }
      },
    };
  }
}
