import { onAbort } from "./abort.ts";

/** Lets a number of pieces of work go on at once; the others wait in the order in which they came. */
export class Semaphore {
  #width: number;
  #busy = 0;
  readonly #waiting = new Set<() => void>();

  /** `width`: pieces of work at once. */
  constructor(width: number) {
    this.#width = width;
  }

  /** Pieces of work at once. Those beyond a smaller width go on; nobody new begins until they are fewer. */
  get width(): number {
    return this.#width;
  }

  set width(width: number) {
    this.#width = width;
    this.#admit();
  }

  /** Whether there is a place for one more now. */
  get isFree(): boolean {
    return this.#busy < this.#width;
  }

  /** A place, given back when it is disposed of. Throws the signal's reason. */
  async enter(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.isFree) {
      this.#busy += 1;
      return this.#place();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const stopListening = onAbort(signal, () => {
      if (this.#waiting.delete(resolve)) reject(signal?.reason);
    });
    await promise.finally(stopListening);
    return this.#place();
  }

  #place(): Disposable {
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#busy -= 1;
        this.#admit();
      },
    };
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (!this.isFree) return;
      this.#waiting.delete(next);
      this.#busy += 1;
      next();
    }
  }
}
