/** Less is cheaper to make anew than to keep. */
const MIN_RECYCLED_BYTES = 64 * 1024;

/** The messages that a call brings, at their reader's pace: one reader, which is told of each when it asks for the next. */
export class MessageQueue {
  readonly #waiting: Buffer[] = [];
  readonly #onConsumed: () => void;
  readonly #recycles: boolean;
  /** A message's memory that is free again. */
  #spare: Buffer | undefined;
  /** What its reader works on. */
  #used: Buffer | undefined;
  #end: { readonly thrown?: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `recycles`: a message is its reader's only until it asks for the next. `onConsumed`: told when the reader is done with one. */
  constructor({ recycles, onConsumed }: { recycles: boolean; onConsumed: () => void }) {
    this.#recycles = recycles;
    this.#onConsumed = onConsumed;
  }

  /** Memory for a message that comes. */
  room(bytes: number): Buffer {
    const spare = this.#spare;
    if (spare === undefined || spare.length < bytes || bytes < MIN_RECYCLED_BYTES) {
      return bytes < MIN_RECYCLED_BYTES ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes);
    }
    this.#spare = undefined;
    return spare.subarray(0, bytes);
  }

  push(message: Buffer): void {
    if (this.#end !== undefined) return;
    this.#waiting.push(message);
    this.#stir();
  }

  /** No more will come: what is here is given, then this is thrown, or nothing. The first end counts. */
  end(failure: { readonly thrown?: unknown } = {}): void {
    this.#end ??= failure;
    this.#stir();
  }

  /** Drops what nobody has read; whoever waits hears why. */
  fail(thrown: unknown): void {
    this.#waiting.length = 0;
    this.end({ thrown });
  }

  /** The next message; undefined when there are no more. */
  async next(): Promise<Buffer | undefined> {
    const used = this.#used;
    this.#used = undefined;
    if (used !== undefined) {
      if (this.#recycles && used.byteLength >= MIN_RECYCLED_BYTES) this.#spare = used;
      this.#onConsumed();
    }
    for (;;) {
      const first = this.#waiting.shift();
      if (first !== undefined) {
        this.#used = first;
        return first;
      }
      const end = this.#end;
      if (end !== undefined && "thrown" in end) throw end.thrown;
      if (end !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** How many messages may be sent before the other end has consumed some. */
export class SendWindow {
  #free: number;
  #isClosed = false;
  readonly #waiting: (() => void)[] = [];

  constructor(messages: number) {
    this.#free = messages;
  }

  /** Waits until one more may be sent, or none ever. */
  async enter(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** One was consumed. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /** The call is over: nobody waits any more. */
  close(): void {
    this.#isClosed = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
