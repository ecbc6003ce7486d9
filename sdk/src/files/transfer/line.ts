import { Semaphore } from "@cmdop/kit";

/**
 * The line that the files of one transfer share. Sixteen files at once hide the latency to a machine. But on
 * a line that breaks often, each gets a sixteenth of its capacity and none arrives. So each loss halves the
 * number of files under way, down to one, and each arrival adds one.
 */
export class Line {
  readonly #widest: number;
  readonly #places: Semaphore;

  /** `widest`: number of files at once while there are no losses. */
  constructor(widest: number) {
    this.#widest = widest;
    this.#places = new Semaphore(widest);
  }

  /** Returns a turn for one file, which it must hold to be under way. */
  turn(): Turn {
    return new Turn(this);
  }

  /** True if a place is free now. */
  get isFree(): boolean {
    return this.#places.isFree;
  }

  /** Waits for a place. Throws the signal's reason. */
  enter(signal: AbortSignal | undefined): Promise<Disposable> {
    return this.#places.enter(signal);
  }

  /** Halves the number of places after a loss. */
  narrow(): void {
    this.#places.width = Math.max(1, Math.floor(this.#places.width / 2));
  }

  /** Adds a place after an arrival. */
  widen(): void {
    this.#places.width = Math.min(this.#widest, this.#places.width + 1);
  }
}

/**
 * One file's place on the line. The reading and the writing end share it, so that they never wait for each
 * other's place.
 */
export class Turn implements Disposable {
  readonly #line: Line;
  #entering: Promise<Disposable> | undefined;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Waits for the file's place, unless it has one. Returns true if it had to wait. */
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

  /** Gives the place to others after a loss, until the file begins again. */
  lost(): void {
    this.#line.narrow();
    this[Symbol.dispose]();
  }

  /** Reports that a part of the file has arrived for good. */
  arrived(): void {
    this.#line.widen();
  }

  [Symbol.dispose](): void {
    const entering = this.#entering;
    this.#entering = undefined;
    // A wait that failed has no place to give back.
    entering?.then(
      (place) => place[Symbol.dispose](),
      () => undefined,
    );
  }
}
