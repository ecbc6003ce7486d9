import type { Content } from "./types.ts";

/**
 * Bytes that are held for sending again: enough for a short stretch without asking the source, little enough
 * for many files at once.
 */
const HELD_BYTES = 1024 * 1024;

/**
 * Reads content from an offset on. With `holds` it keeps copies of the last bytes, which can be sent again
 * from here. It allows several reads at once, because an abandoned attempt may still wait beside the one that
 * continues.
 */
export class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #holds: boolean;
  #held: Uint8Array[] = [];
  /** Offsets in the content where the held bytes begin and end. */
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

  /** Returns true if the bytes at a position are available here. */
  reaches(position: number): boolean {
    return !this.#hasFailed && this.#start <= position && position <= this.#end;
  }

  /**
   * Returns the bytes at a position that is reached, at most `maxBytes`; undefined at the end of the content.
   */
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

  /** Ends the reading. */
  close(): void {
    // This is not awaited, because a source may be waiting for a connection. A failure of it then is no
    // failure of the content.
    void Promise.allSettled([this.#pieces.return?.()]);
  }

  /** Takes the next piece; returns false at the end. */
  #pull(): Promise<boolean> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #next(): Promise<boolean> {
    // The source reuses a piece's memory once it is asked for the next.
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

  /** Drops the oldest pieces, as long as at least `leftBytes` remain. */
  #drop(leftBytes: number): void {
    for (;;) {
      const [oldest] = this.#held;
      if (oldest === undefined || this.#end - this.#start - oldest.length < leftBytes) return;
      this.#held.shift();
      this.#start += oldest.length;
    }
  }
}
