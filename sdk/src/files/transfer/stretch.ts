/** The shortest stretch: a line that does not carry this much at once is no line to send files over. */
const MIN_STRETCH_BYTES = 64 * 1024;

/** From here on one more answer costs nothing beside what is sent: no need for stretches. */
const MAX_STRETCH_BYTES = 64 * 1024 * 1024;

/**
 * How much of an upload is sent before the machine says that it has it. All of
 * it, at first: but what a cut finds on its way (in windows and buffers, up to
 * a few times 8 MiB) is lost, and on a line that is cut sooner than that all
 * would be lost, again and again. So each loss makes the stretch shorter than
 * what was lost, until it arrives.
 */
export class Stretch {
  #bytes = Number.POSITIVE_INFINITY;

  /** Bytes to send at most. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All of it has arrived. */
  arrived(): void {
    const longer = this.#bytes * 2;
    this.#bytes = longer > MAX_STRETCH_BYTES ? Number.POSITIVE_INFINITY : longer;
  }

  /** The line broke when so many bytes had been given to it, of which so many have arrived. */
  broke(sentBytes: number, arrivedBytes: number): void {
    const isMostThere = arrivedBytes * 2 >= sentBytes;
    if (isMostThere) return;
    const shorter = Math.floor(Math.min(this.#bytes, sentBytes) / 2);
    this.#bytes = Math.max(shorter, MIN_STRETCH_BYTES);
  }
}
