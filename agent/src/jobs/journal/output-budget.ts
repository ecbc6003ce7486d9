/** The memory that all journals share. */
export class OutputBudget {
  readonly #maxBytes: number;
  readonly #reclaim: () => boolean;
  #usedBytes = 0;

  /** `reclaim` frees something that is no longer needed; false where nothing is left to free. */
  constructor(maxBytes: number, reclaim: () => boolean = () => false) {
    this.#maxBytes = maxBytes;
    this.#reclaim = reclaim;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get exhausted(): boolean {
    return this.#usedBytes > this.#maxBytes;
  }

  /** Counts bytes that a journal took, or gave back where negative. */
  count(bytes: number): void {
    this.#usedBytes += bytes;
    while (bytes > 0 && this.exhausted && this.#reclaim());
  }
}
