import { type RunEvent, readRunEvent } from "@cmdop/proto";

/** Bytes of one line that are kept while its end is missing: far more than the machine writes in one. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/** A run's events out of the bytes of its journal, wherever the pieces begin and end. */
export class EventLines {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** The events that a piece completes, with the offset behind each. What is no event that this version knows is left out. */
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

  /** The bytes before the next piece are missing. */
  reset(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes <= MAX_LINE_BYTES) this.#pieces.push(piece);
    // What is left of it is no JSON, and so no event.
    else this.#pieces = [];
  }
}
