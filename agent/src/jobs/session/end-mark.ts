import { randomBytes } from "node:crypto";

/**
 * Something that no program writes, and that no setting of a terminal changes
 * on its way through (which may turn small letters into large ones).
 */
const MARK_BYTES = 16;

/**
 * A terminal passes bytes on in the order in which they were written. So when
 * this mark, written last, comes out, everything before it has come out.
 */
export class EndMark {
  readonly bytes = Buffer.from(`\x1e${randomBytes(MARK_BYTES).toString("hex").toUpperCase()}\x1f`);
  /** What may be the mark's beginning. */
  #held = Buffer.alloc(0);
  #found = false;

  /** Whether the mark has come. */
  get found(): boolean {
    return this.#found;
  }

  /** Takes what came out of the terminal; the bytes before the mark that are known not to belong to it. */
  take(arrived: Uint8Array): Uint8Array {
    if (this.#found) return new Uint8Array();
    const bytes = Buffer.concat([this.#held, arrived]);
    const at = bytes.indexOf(this.bytes);
    this.#found = at >= 0;
    const end = this.#found ? at : bytes.length - this.#beginningAtEndOf(bytes);
    this.#held = this.#found ? Buffer.alloc(0) : bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  /** Where the mark does not come any more: what was held for it. */
  rest(): Uint8Array {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  #beginningAtEndOf(bytes: Buffer): number {
    const most = Math.min(this.bytes.length - 1, bytes.length);
    for (let length = most; length > 0; length -= 1) {
      if (bytes.subarray(bytes.length - length).equals(this.bytes.subarray(0, length))) return length;
    }
    return 0;
  }
}
