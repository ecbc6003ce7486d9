import type { Readable, Writable } from "node:stream";

/** Bytes that wait to be written before who sends them is paused: while one write is under way, those that wait become the next. */
const MAX_WAITING_BYTES = 128 * 1024;

/** The same in pieces, counted since nothing waited: each costs some 200 bytes of its own, and may have no more than one. */
const MAX_WAITING_PIECES = 256;

/** Writes what comes from one side of a call to the other, and pauses the one while too much waits for the other. */
export class Outlet {
  readonly #from: Readable;
  readonly #to: Writable;
  readonly #onWaiting: (waits: boolean) => void;
  #pieces = 0;
  #isPaused = false;

  /** `onWaiting` is told when the pause begins, and when it is over. */
  constructor(from: Readable, to: Writable, onWaiting: (waits: boolean) => void) {
    this.#from = from;
    this.#to = to;
    this.#onWaiting = onWaiting;
  }

  write(chunk: Buffer): void {
    const to = this.#to;
    if (!to.writable) return;
    if (to.writableLength === 0) this.#pieces = 0;
    this.#pieces += 1;
    const isFull =
      this.#pieces >= MAX_WAITING_PIECES || to.writableLength + chunk.length >= MAX_WAITING_BYTES;
    if (!isFull && !this.#isPaused) {
      to.write(chunk);
      return;
    }
    if (!this.#isPaused) {
      this.#isPaused = true;
      this.#from.pause();
      this.#onWaiting(true);
    }
    // What is read all the same waits behind it: whichever is out last ends the pause.
    to.write(chunk, () => this.#goOn());
  }

  #goOn(): void {
    if (!this.#isPaused || this.#to.writableLength > 0) return;
    this.#isPaused = false;
    this.#onWaiting(false);
    this.#from.resume();
  }
}
