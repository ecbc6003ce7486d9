import type { Content } from "./types.ts";

/** What is held of what was read, where anything is: enough to send a short stretch again without asking the source, little enough for many files at once. */
const HELD_BYTES = 1024 * 1024;

/**
 * Reads content on from an offset; with `holds` it keeps copies of the last of
 * it, so that whoever has to send it again takes it from here. Several may read
 * at once, as one that was given up and still waits beside the one that goes on.
 */
export class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #holds: boolean;
  #held: Uint8Array[] = [];
  /** Where in the content the held bytes begin and end. */
  #start: number;
  #end: number;
  #pulling: Promise<boolean> | undefined;
  #hasFailed = false;

  constructor(content: Content, from: number, holds: boolean) {
    this.#pieces = content.read(from)[Symbol.asyncIterator]();
    this.#holds = holds;
    this.#start = from;
    this.#end = from;
  }

  /** Whether the bytes at a position can be had from here. */
  reaches(position: number): boolean {
    return !this.#hasFailed && this.#start <= position && position <= this.#end;
  }

  /** The bytes at a position that is reached, `maxBytes` at most; undefined at the end of the content. */
  async at(position: number, maxBytes: number): Promise<Uint8Array | undefined> {
    while (position >= this.#end) if (!(await this.#pull())) return undefined;
    let start = this.#start;
    for (const piece of this.#held) {
      const from = position - start;
      if (from >= 0 && from < piece.length) return piece.subarray(from, from + maxBytes);
      start += piece.length;
    }
    throw new RangeError(`no bytes are held at ${position}`);
  }

  /** No more is wanted. */
  close(): void {
    // Not waited for: a source may be waiting for a connection. What it fails with then is no failure of what was read.
    void Promise.allSettled([this.#pieces.return?.()]);
  }

  /** Takes the next piece; false at the end. */
  #pull(): Promise<boolean> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #next(): Promise<boolean> {
    // A piece is nobody's any more once its source is asked for the next.
    if (!this.#holds) this.#drop(0);
    try {
      const { done, value } = await this.#pieces.next();
      if (done === true) return false;
      this.#held.push(this.#holds ? Buffer.from(value) : value);
      this.#end += value.length;
    } catch (thrown) {
      this.#hasFailed = true;
      throw thrown;
    }
    this.#drop(HELD_BYTES);
    return true;
  }

  /** Drops the oldest pieces, as long as so many bytes are left. */
  #drop(leftBytes: number): void {
    for (;;) {
      const [oldest] = this.#held;
      if (oldest === undefined || this.#end - this.#start - oldest.length < leftBytes) return;
      this.#held.shift();
      this.#start += oldest.length;
    }
  }
}
