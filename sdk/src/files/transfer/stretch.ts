/** Shortest stretch, in bytes. A line that does not carry this much at once can't be used to send files. */
const MIN_STRETCH_BYTES = 64 * 1024;

/**
 * Longest stretch, in bytes. Beyond it a further answer costs nothing beside the data, so no stretches are
 * needed.
 */
const MAX_STRETCH_BYTES = 64 * 1024 * 1024;

/**
 * The part of an upload that is sent before the machine confirms it: at first, all. But a lost connection
 * loses the data on its way (in windows and buffers, up to a few times 8 MiB), and on a line that breaks
 * sooner than that all would be lost, again and again. So each loss makes the stretch shorter than the lost
 * data, until it arrives.
 */
export class Stretch {
  #bytes = Number.POSITIVE_INFINITY;

  /** Most bytes to send in one stretch. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lengthens the stretch after it has arrived. */
  arrived(): void {
    const longer = this.#bytes * 2;
    this.#bytes = longer > MAX_STRETCH_BYTES ? Number.POSITIVE_INFINITY : longer;
  }

  /**
   * Shortens the stretch after a loss: the line broke after `sentBytes` were sent, of which `arrivedBytes`
   * arrived.
   */
  broke(sentBytes: number, arrivedBytes: number): void {
    const isMostThere = arrivedBytes * 2 >= sentBytes;
    if (isMostThere) return;
    const shorter = Math.floor(Math.min(this.#bytes, sentBytes) / 2);
    this.#bytes = Math.max(shorter, MIN_STRETCH_BYTES);
  }
}
