import { Writable } from "node:stream";

/** Until the next attempt to type into a terminal whose program does not read: growing, so that it costs nothing. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/** Writes what the terminal takes at once and answers how much that was: 0 where it takes nothing now. */
export type Type = (bytes: Uint8Array) => number;

/**
 * The keyboard of a terminal. The system does not tell when a terminal takes
 * input again, so it is asked: libuv would wait for it and block the agent.
 */
export class Keyboard extends Writable {
  readonly #type: Type;
  #retry: NodeJS.Timeout | undefined;
  #unwritten: ((error: Error) => void) | undefined;

  constructor(type: Type) {
    super();
    this.#type = type;
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    this.#unwritten = callback;
    this.#push(bytes, FIRST_PAUSE_MS, (error) => {
      this.#unwritten = undefined;
      callback(error);
    });
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.#retry);
    // Whoever waits for the rest must not wait for ever.
    this.#unwritten?.(new Error("the terminal is closed"));
    callback(error);
  }

  #push(bytes: Uint8Array, pauseMs: number, done: (error?: Error) => void): void {
    let taken: number;
    try {
      taken = this.#type(bytes);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (taken === bytes.length) {
      done();
      return;
    }
    // What took some will soon take more.
    const nextPauseMs = taken > 0 ? FIRST_PAUSE_MS : Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    this.#retry = setTimeout(() => this.#push(bytes.subarray(taken), nextPauseMs, done), pauseMs);
  }
}
