import { type RunEvent, readRunEvent } from "@cmdop/proto";

/** Longest line that is kept while its end is missing, in bytes: far more than the machine writes in one. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Reads a run's events from the bytes of its journal, whatever the pieces' boundaries. */
export class EventLines {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /**
   * Yields the events that a piece completes, each with the offset behind it. Skips lines that this version
   * does not know as an event.
   */
  *add(offset: bigint, data: Uint8Array): Generator<RunEvent & { after: number }> {
    let from = 0;
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, from)) {
      this.#keep(data.subarray(from, at));
      from = at + 1;
      const event = readRunEvent(Buffer.concat(this.#pieces).toString("utf8"));
      this.reset();
      if (event !== undefined) yield { ...event, after: Number(offset) + from };
    }
    if (from < data.length) this.#keep(data.subarray(from));
  }

  /** Forgets an unfinished line: the bytes before the next piece are missing. */
  reset(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes <= MAX_LINE_BYTES) this.#pieces.push(piece);
    // The rest of the line is no JSON, and so no event.
    else this.#pieces = [];
  }
}
