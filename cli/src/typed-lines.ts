import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { onAbort } from "@cmdop/proto";

/** What the terminal has echoed is not yet read: it hands out a line at a time, and this process may be busy. */
const UNREAD_MS = 100;

/**
 * The lines that a person types at the terminal. Those that are typed while
 * nothing is asked are dropped: no answer may come before its question. The
 * terminal stays as it is, so Ctrl-C is a signal as ever.
 */
export class TypedLines implements Disposable {
  readonly #reader: Interface;
  #take: ((line: string | undefined) => void) | undefined;
  #isOver = false;

  constructor(input: Readable = process.stdin) {
    this.#reader = createInterface({ input, terminal: false });
    this.#reader.on("line", (line) => this.#take?.(line));
    this.#reader.on("close", () => {
      this.#isOver = true;
      this.#take?.(undefined);
    });
  }

  /** Whether nobody can type any more (Ctrl-D). */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Drops what has been typed so far: to be awaited before a question is shown. */
  async drop(): Promise<void> {
    if (!this.#isOver) await sleep(UNREAD_MS);
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
