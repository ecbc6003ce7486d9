import { Holdings } from "../../shares/holdings.ts";

/** Outputs that are freed at once, each with a directory to delete, while callers wait: what is left goes with the next bytes that come. */
const MAX_RECLAIMED = 16;

/** What the journals of one key may take. */
export interface OutputAccount {
  /** Whether all journals together take too much, and those of this key more than their part of it. */
  readonly exhausted: boolean;
  /** Counts bytes that a journal took, or gave back where negative. */
  count(bytes: number): void;
}

/** What all journals take together, in memory or on disk: parts of it are equal, whoever takes more gives it back. */
export class OutputBudget {
  readonly #maxBytes: number;
  readonly #reclaim: (keyId: string) => boolean;
  readonly #held = new Holdings();

  /** `reclaim` frees something of this key that is no longer needed; false where it has nothing to free. */
  constructor(maxBytes: number, reclaim: (keyId: string) => boolean = () => false) {
    this.#maxBytes = maxBytes;
    this.#reclaim = reclaim;
  }

  get usedBytes(): number {
    return this.#held.total;
  }

  /** What this key pays for. */
  account(keyId: string): OutputAccount {
    return new KeyAccount(this, keyId);
  }

  /** Whether what all take is too much, and what this key takes more than its part. */
  isExhausted(keyId: string): boolean {
    return this.#held.beyond(this.#maxBytes).includes(keyId);
  }

  /** Counts what a journal of this key took, or gave back where negative. */
  count(keyId: string, bytes: number): void {
    this.#held.count(keyId, bytes);
    if (bytes <= 0) return;
    for (let left = MAX_RECLAIMED; left > 0; left -= 1)
      if (!this.#held.beyond(this.#maxBytes).some(this.#reclaim)) return;
  }
}

/** Two words of memory: each job that is remembered has two of these. */
class KeyAccount implements OutputAccount {
  readonly #budget: OutputBudget;
  readonly #keyId: string;

  constructor(budget: OutputBudget, keyId: string) {
    this.#budget = budget;
    this.#keyId = keyId;
  }

  get exhausted(): boolean {
    return this.#budget.isExhausted(this.#keyId);
  }

  count(bytes: number): void {
    this.#budget.count(this.#keyId, bytes);
  }
}
