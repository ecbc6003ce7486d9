import { onAbort } from "@cmdop/kit";

/**
 * The line that the files of one transfer share. Sixteen at once hide the way to
 * a machine; but on a line that breaks soon, each of them gets a sixteenth of
 * what it carries, and none arrives. So each loss halves how many may be under
 * way, down to one, and each arrival lets one more on.
 */
export class Line {
  readonly #widest: number;
  #width: number;
  #busy = 0;
  readonly #waiting = new Set<() => void>();

  /** `widest`: files at once while all is well. */
  constructor(widest: number) {
    this.#widest = widest;
    this.#width = widest;
  }

  /** What one file needs to be under way. */
  turn(): Turn {
    return new Turn(this);
  }

  /** A place; false where there was one at once. Throws the signal's reason. */
  async enter(signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#busy < this.#width) {
      this.#busy += 1;
      return false;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const stopListening = onAbort(signal, () => {
      if (this.#waiting.delete(resolve)) reject(signal?.reason);
    });
    await promise.finally(stopListening);
    return true;
  }

  leave(): void {
    this.#busy -= 1;
    this.#admit();
  }

  /** Something was lost. */
  narrow(): void {
    this.#width = Math.max(1, Math.floor(this.#width / 2));
  }

  /** Something arrived. */
  widen(): void {
    this.#width = Math.min(this.#widest, this.#width + 1);
    this.#admit();
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (this.#busy >= this.#width) return;
      this.#waiting.delete(next);
      this.#busy += 1;
      next();
    }
  }
}

/** One file's place on the line: shared by the end that reads it and the end that writes it, so that they never wait for each other's. */
export class Turn implements Disposable {
  readonly #line: Line;
  #entering: Promise<boolean> | undefined;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Waits for the file's place, unless it has one; whether there was anything to wait for. */
  async begin(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#entering !== undefined) {
      await this.#entering;
      return false;
    }
    const entering = this.#line.enter(signal);
    this.#entering = entering;
    try {
      return await entering;
    } catch (thrown) {
      this.#entering = undefined;
      throw thrown;
    }
  }

  /** What was under way is lost; the place goes to others until the file begins again. */
  lost(): void {
    this.#line.narrow();
    this[Symbol.dispose]();
  }

  /** Some of the file has arrived for good. */
  arrived(): void {
    this.#line.widen();
  }

  [Symbol.dispose](): void {
    const entering = this.#entering;
    this.#entering = undefined;
    // Whoever was still waiting for it and failed has no place to give back.
    entering?.then(
      () => this.#line.leave(),
      () => undefined,
    );
  }
}
