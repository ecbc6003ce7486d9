import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { onAbort, pause } from "@cmdop/kit";

/** Quiet time before a question is shown. The terminal hands out a line at a time, long after it has echoed it. */
const QUIET_MS = 100;

/**
 * The lines that a person types at the terminal. Those that are typed while
 * nothing is asked are dropped: no answer may come before its question. The
 * terminal stays as it is, so Ctrl-C is a signal as ever.
 */
export class TypedLines implements Disposable {
  readonly #reader: Interface;
  #take: ((line: string | undefined) => void) | undefined;
  #isOver = false;
  #count = 0;

  constructor(input: Readable = process.stdin) {
    this.#reader = createInterface({ input, terminal: false });
    this.#reader.on("line", (line) => {
      this.#count += 1;
      this.#take?.(line);
    });
    this.#reader.on("close", () => {
      this.#isOver = true;
      this.#take?.(undefined);
    });
  }

  /** True if nobody can type any more (Ctrl-D). */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Drops what has been typed so far: to be awaited before a question is shown. Ends with the signal, too. */
  async drop(signal: AbortSignal): Promise<void> {
    let before = -1;
    while (!this.#isOver && !signal.aborted && before !== this.#count) {
      before = this.#count;
      await pause(QUIET_MS, { signal });
      // If this process was busy all the while, the lines that came are still unread.
      await turn();
    }
  }

  /** The next line; undefined where the signal aborts before it, or nobody can type any more. */
  async next(signal: AbortSignal): Promise<string | undefined> {
    if (this.#isOver || signal.aborted) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const stopListening = onAbort(signal, () => resolve(undefined));
    this.#take = resolve;
    try {
      return await promise;
    } finally {
      this.#take = undefined;
      stopListening();
    }
  }

  [Symbol.dispose](): void {
    this.#reader.close();
  }
}
