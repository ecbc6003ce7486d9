import { CHAIN_HASH_BYTES, chainNext, chainStart } from "@cmdop/proto";

/** Most problems that are listed of one chain, since one wrong record may cause many. */
const MAX_PROBLEMS = 20;

/** A trusted hash at a place in a chain. */
export interface Mark {
  readonly seq: number;
  /** The record's hash, base64url. */
  readonly hash: string;
  /** The source of the mark, as a message begins: `The head that was kept`. */
  readonly who: string;
}

/** Consecutive records of a chain, as the relay sends them. */
export interface Batch {
  readonly firstSeq: bigint;
  readonly previousHash: Uint8Array;
  readonly records: readonly Uint8Array[];
  readonly hashes: readonly Uint8Array[];
}

/**
 * Recomputes a chain from its records. The first record whose hash does not follow from the one before was
 * tampered with. A chain that was rewritten from there on, or cut off, contradicts a mark.
 */
export class ChainCheck {
  readonly #chain: string;
  readonly #marks: Map<number, Mark[]>;
  /** The reason that the relay's copy lags behind its machine, in the relay's words; empty if it does not. */
  readonly #behind: string;
  #problems: string[] = [];
  #omitted = 0;
  /** The hash of the last record that was read; undefined before the first. */
  #hash: Uint8Array | undefined;
  first = 0;
  last = 0;
  /** The oldest record that is kept; undefined before the first was read. */
  firstRecord: Uint8Array | undefined;

  constructor(chain: string, marks: readonly Mark[], behind = "") {
    this.#chain = chain;
    this.#behind = behind;
    this.#marks = Map.groupBy(marks, ({ seq }) => seq);
  }

  /** The hash of the last record, base64url; the chain's start before the first. */
  get hash(): string {
    return text(this.#hash ?? chainStart(this.#chain));
  }

  get problems(): readonly string[] {
    return this.#omitted === 0 ? this.#problems : [...this.#problems, `and ${this.#omitted} more problems`];
  }

  problem(what: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(what);
    else this.#omitted += 1;
  }

  /** Checks the next records. Returns false if the rest need not be read. */
  add(batch: Batch): boolean {
    const { records, hashes } = batch;
    if (records.length === 0) return true;
    const firstSeq = Number(batch.firstSeq);
    if (records.length !== hashes.length || !Number.isSafeInteger(firstSeq) || firstSeq < 1) {
      this.problem("The relay's answer is malformed: records without hashes, or without a number.");
      return false;
    }
    if (!this.#begin(firstSeq, batch.previousHash)) return false;
    this.firstRecord ??= records[0];
    for (const [index, record] of records.entries()) {
      const seq = firstSeq + index;
      const stored = hashes[index];
      const computed = chainNext(this.#hash ?? chainStart(this.#chain), record);
      if (stored === undefined || text(stored) !== text(computed)) {
        this.problem(
          `Record ${seq} does not follow from the one before it: it was changed, or a record before it was removed or moved.`,
        );
      }
      // Continuing from the stored hash finds further places, instead of every record after the first.
      this.#hash = stored ?? computed;
      this.last = seq;
      this.#hold(seq, this.#hash);
    }
    return true;
  }

  /** Checks the marks outside of the records that were read. Call it once, when all are read. */
  finish(): void {
    if (this.first === 0) this.#hold(0, chainStart(this.#chain));
    for (const [seq, marks] of this.#marks) {
      // The relay keeps a bounded number of records, but the loss of unverified ones must be reported.
      if (seq < this.first - 1) {
        this.problem(
          `The records ${seq + 1} to ${this.first - 1} are gone, and nobody has verified them: they were removed, or more came than is kept.`,
        );
      }
      if (seq <= this.last) continue;
      for (const { who } of marks) {
        const where = `${who} is at record ${seq}, but the chain ends at ${this.last}`;
        this.problem(
          this.#behind === ""
            ? `${where}: its end was cut off.`
            : `${where}. The relay says that its copy lags behind (${this.#behind}): verify again when that is over. Where it stays so, the end was cut off.`,
        );
      }
    }
  }

  #begin(firstSeq: number, previousHash: Uint8Array): boolean {
    const expected = this.last + 1;
    if (this.#hash === undefined) {
      this.first = firstSeq;
      const start = firstSeq === 1 ? chainStart(this.#chain) : previousHash;
      if (previousHash.length !== CHAIN_HASH_BYTES || text(previousHash) !== text(start)) {
        this.problem("The chain does not begin as its id says: its beginning was replaced.");
      }
      this.#hash = start;
      this.#hold(firstSeq - 1, start);
      return true;
    }
    if (firstSeq < expected) {
      this.problem(`Record ${firstSeq} came again after ${this.last}: records were moved.`);
      return false;
    }
    if (firstSeq > expected) {
      this.problem(`The records ${expected} to ${firstSeq - 1} are missing.`);
      this.#hash = previousHash;
      this.#hold(firstSeq - 1, previousHash);
    } else if (text(previousHash) !== text(this.#hash)) {
      this.problem(`The records from ${firstSeq} on follow another record than ${this.last}.`);
    }
    return true;
  }

  #hold(seq: number, hash: Uint8Array): void {
    for (const mark of this.#marks.get(seq) ?? []) {
      if (mark.hash === text(hash)) continue;
      this.problem(
        `${mark.who} has another hash at record ${seq}: records up to there were changed, and what follows written anew.`,
      );
    }
  }
}

function text(hash: Uint8Array): string {
  return Buffer.from(hash).toString("base64url");
}
