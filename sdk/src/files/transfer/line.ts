import { Semaphore } from "@cmdop/kit";

/**
 * The line that the files of one transfer share. Sixteen at once hide the way to
 * a machine; but on a line that breaks soon, each of them gets a sixteenth of
 * what it carries, and none arrives. So each loss halves how many may be under
 * way, down to one, and each arrival lets one more on.
 */
export class Line {
  readonly #widest: number;
  readonly #places: Semaphore;

  /** `widest`: files at once while all is well. */
  constructor(widest: number) {
    this.#widest = widest;
    this.#places = new Semaphore(widest);
  }

  /** What one file needs to be under way. */
  turn(): Turn {
    return new Turn(this);
  }

  /** Whether there is a place at once. */
  get isFree(): boolean {
    return this.#places.isFree;
  }

  /** A place. Throws the signal's reason. */
  enter(signal: AbortSignal | undefined): Promise<Disposable> {
    return this.#places.enter(signal);
  }

  /** Something was lost. */
  narrow(): void {
    this.#places.width = Math.max(1, Math.floor(this.#places.width / 2));
  }

  /** Something arrived. */
  widen(): void {
    this.#places.width = Math.min(this.#widest, this.#places.width + 1);
  }
}

/** One file's place on the line: shared by the end that reads it and the end that writes it, so that they never wait for each other's. */
export class Turn implements Disposable {
  readonly #line: Line;
  #entering: Promise<Disposable> | undefined;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Waits for the file's place, unless it has one; whether there was anything to wait for. */
  async begin(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#entering !== undefined) {
      await this.#entering;
      return false;
    }
    const mustWait = !this.#line.isFree;
    this.#entering = this.#line.enter(signal);
    try {
      await this.#entering;
      return mustWait;
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
      (place) => place[Symbol.dispose](),
      () => undefined,
    );
  }
}
