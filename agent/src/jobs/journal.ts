import { OUTPUT_CHUNK_BYTES, onAbort } from "@cmdop/proto";
import { type Channel, JournalRecords } from "./journal-records.ts";
import type { JobLimits } from "./limits.ts";
import type { OutputBudget } from "./output-budget.ts";

/** What a reader meets next: bytes, or a gap where bytes are gone. */
export type JournalItem =
  | {
      readonly kind: "output";
      readonly offset: bigint;
      readonly channel: Channel;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "dropped"; readonly offset: bigint; readonly bytes: bigint };

/** One reader at its own pace. Dispose of it when done: while it is open it may hold the writer back. */
export interface JournalReader extends Disposable {
  /** The next item; waits where there is none yet. Undefined at the journal's end, or when the signal aborts. */
  next(signal?: AbortSignal): Promise<JournalItem | undefined>;
}

type Limits = Pick<JobLimits, "maxJournalBytes" | "minJournalBytes" | "absentReaderGraceMs">;

interface Cursor {
  offset: bigint;
}

/**
 * A job's append-only output. One absolute offset counts the bytes of all
 * channels in the order of arrival; any number of readers begin where they like.
 *
 * Append never fails and never waits: the writer looks at `full` and pauses.
 * A journal is full while a reader that holds has half of the bound unread; the
 * other half keeps what was read but may have been lost on its way. When the
 * last such reader goes away its place is held for a grace; after that (and for
 * readers that don't hold) the oldest bytes go, and readers are told.
 */
export class Journal {
  readonly #limits: Limits;
  readonly #budget: OutputBudget;
  readonly #records = new JournalRecords();
  readonly #holders = new Set<Cursor>();
  readonly #waiting = new Set<() => void>();
  #absent: { cursor: Cursor; timer: NodeJS.Timeout } | undefined;
  #readers = 0;
  #closed = false;
  /** Called when a full journal may have room again. */
  onRoom: () => void = () => undefined;

  constructor(limits: Limits, budget: OutputBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** The offset of the oldest byte that is still there. */
  get start(): bigint {
    return this.#records.start;
  }

  /** Payload bytes written so far. */
  get end(): bigint {
    return this.#records.end;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Readers that are open. */
  get readers(): number {
    return this.#readers;
  }

  /** Memory that the output takes, in bytes. */
  get heldBytes(): number {
    return this.#records.heldBytes;
  }

  /** True while the writer should not write: a reader that holds is too far behind. */
  get full(): boolean {
    const held = this.#heldFrom();
    return held !== undefined && this.#records.heldBytesFrom(held) >= this.#bound() / 2;
  }

  /** Adds bytes, which the journal owns from now on. */
  append(channel: Channel, bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#counted(() => this.#records.append(channel, bytes));
    this.#trim();
    this.#wake();
  }

  /** No more will be written: readers end when they have read the rest, and nobody is waited for. */
  close(): void {
    this.#closed = true;
    this.#forgetAbsent();
    this.onRoom = () => undefined;
    this.#wake();
  }

  /** Drops all bytes. Readers are told how many they missed. */
  release(): void {
    this.#counted(() => {
      while (this.#records.dropOldest(this.end));
    });
  }

  /** Opens a reader behind `after`. With `holds`, and no earlier such reader, the writer is held back rather than let it lose bytes. */
  open(after: bigint, { holds }: { holds: boolean }): JournalReader {
    const cursor: Cursor = { offset: after };
    let open = true;
    this.#readers += 1;
    if (holds) {
      this.#holders.add(cursor);
      this.#forgetAbsent();
    }
    return {
      next: (signal) => this.#next(cursor, signal),
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        this.#readers -= 1;
        if (this.#holders.delete(cursor)) this.#left(cursor);
      },
    };
  }

  async #next(cursor: Cursor, signal: AbortSignal | undefined): Promise<JournalItem | undefined> {
    while (!signal?.aborted) {
      const item = this.#take(cursor);
      if (item !== undefined) {
        this.onRoom();
        return item;
      }
      if (this.#closed) return undefined;
      await this.#changed(signal);
    }
    return undefined;
  }

  #take(cursor: Cursor): JournalItem | undefined {
    const { offset } = cursor;
    if (offset < this.start) {
      cursor.offset = this.start;
      return { kind: "dropped", offset, bytes: this.start - offset };
    }
    const found = this.#records.at(offset);
    if (found === undefined) return undefined;
    const bytes = found.bytes.subarray(0, OUTPUT_CHUNK_BYTES);
    cursor.offset += BigInt(bytes.length);
    return { kind: "output", offset, channel: found.channel, bytes };
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopListening = onAbort(signal, resolve);
    this.#waiting.add(resolve);
    return promise.finally(() => {
      this.#waiting.delete(resolve);
      stopListening();
    });
  }

  #wake(): void {
    for (const resume of this.#waiting) resume();
  }

  #left(cursor: Cursor): void {
    if (this.#closed || this.#holders.size > 0) {
      this.onRoom();
      return;
    }
    const timer = setTimeout(() => {
      this.#forgetAbsent();
      this.#trim();
      this.onRoom();
    }, this.#limits.absentReaderGraceMs);
    timer.unref();
    this.#absent = { cursor, timer };
  }

  #forgetAbsent(): void {
    clearTimeout(this.#absent?.timer);
    this.#absent = undefined;
  }

  /**
   * The offset from which on everything must stay; undefined where nobody holds
   * anything. Of the readers that would hold only the one that came first does,
   * the job's starter: viewers that come later never hold it up, but inherit.
   */
  #heldFrom(): bigint | undefined {
    const [first] = this.#holders;
    return this.#absent?.cursor.offset ?? first?.offset;
  }

  #bound(): number {
    return this.#budget.exhausted ? this.#limits.minJournalBytes : this.#limits.maxJournalBytes;
  }

  #trim(): void {
    const before = this.#heldFrom() ?? this.end;
    this.#counted(() => {
      while (this.heldBytes > this.#bound() && this.#records.dropOldest(before));
    });
  }

  #counted(change: () => void): void {
    const before = this.heldBytes;
    change();
    const difference = this.heldBytes - before;
    if (difference !== 0) this.#budget.count(difference);
  }
}
