import { onAbort } from "@cmdop/kit";
import { OUTPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { JobLimits } from "../limits.ts";
import { type Damage, FileReader, type Piece } from "./file-reader.ts";
import { type FileFacts, JournalFile } from "./journal-file.ts";
import { type Channel, JournalRecords } from "./journal-records.ts";
import type { OutputAccount } from "./output-budget.ts";

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

type Limits = Pick<
  JobLimits,
  | "maxJournalBytes"
  | "minJournalBytes"
  | "segmentBytes"
  | "recentBytes"
  | "minRecentBytes"
  | "maxMemoryJournalBytes"
  | "minMemoryJournalBytes"
  | "absentReaderGraceMs"
>;

/** What a journal needs from around it. */
export interface JournalOptions {
  readonly limits: Limits;
  /** Who pays for what it takes in memory and on disk. */
  readonly memory: OutputAccount;
  readonly disk: OutputAccount;
  /** Where its file goes; without, it lives in memory alone. */
  readonly directory?: string | undefined;
  /** Told once when the file can't be written (or read) any more, and why: from then on new output lives in memory alone. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

const NOBODY = (): void => undefined;

interface Cursor {
  offset: bigint;
  /** Its place in the file, while it reads there. */
  file?: FileReader | undefined;
}

/**
 * A job's append-only output. One absolute offset counts the bytes of all
 * channels in the order of arrival; any number of readers begin where they like.
 * What is appended is in the file before anybody reads it; the newest is in
 * memory too. Where the file can't be written, memory is all there is.
 *
 * Append never fails and never waits: the writer looks at `full` and pauses.
 * A journal is full while a reader that holds has half of the bound unread; the
 * other half keeps what was read but may have been lost on its way. When the
 * last such reader goes away its place is held for a grace; after that (and for
 * readers that don't hold) the oldest bytes go, and readers are told.
 */
export class Journal {
  readonly #limits: Limits;
  readonly #memory: OutputAccount;
  readonly #disk: OutputAccount;
  readonly #onTrouble: (error: unknown) => void;
  readonly #records: JournalRecords;
  #file: JournalFile | undefined;
  /** Whether what is appended goes to the file. */
  #writable: boolean;
  /** Made when there is one: a journal is remembered for long after its last reader. */
  #holders: Set<Cursor> | undefined;
  #waiting: Set<() => void> | undefined;
  #absent: { cursor: Cursor; timer: NodeJS.Timeout } | undefined;
  #readers = 0;
  #closed = false;
  /** Called when a full journal may have room again. */
  onRoom: () => void = NOBODY;

  constructor({ limits, memory, disk, directory, onTrouble = () => undefined }: JournalOptions) {
    this.#limits = limits;
    this.#memory = memory;
    this.#disk = disk;
    this.#onTrouble = onTrouble;
    this.#records = new JournalRecords();
    this.#file = directory === undefined ? undefined : JournalFile.create(directory, limits.segmentBytes);
    this.#writable = directory !== undefined;
  }

  /** The journal of a job that an earlier life of the agent ran, closed. `facts`: what was written down of its file. */
  static found(options: JournalOptions & { readonly directory: string }, facts?: FileFacts): Journal {
    const journal = new Journal(options);
    journal.#file = JournalFile.found(options.directory, facts);
    journal.#disk.count(journal.#file.bytes);
    journal.#records.skipTo(journal.#file.end);
    journal.close();
    return journal;
  }

  /** The offset of the oldest byte that is still there. */
  get start(): bigint {
    const { start } = this.#records;
    return this.#file !== undefined && this.#file.bytes > 0 && this.#file.start < start
      ? this.#file.start
      : start;
  }

  /** Payload bytes written so far. */
  get end(): bigint {
    return this.#records.end;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether new output lives in memory alone, and ends with the agent. */
  get inMemory(): boolean {
    return !this.#writable;
  }

  /** Readers that are open. */
  get readers(): number {
    return this.#readers;
  }

  /** Memory that the output takes, in bytes. */
  get heldBytes(): number {
    return this.#records.heldBytes;
  }

  /** What the output takes on disk, in bytes. */
  get fileBytes(): number {
    return this.#file?.bytes ?? 0;
  }

  /** What a later life of the agent must know of the file. */
  get facts(): FileFacts {
    const bytes = this.fileBytes;
    return { start: bytes > 0 ? this.start : this.end, end: this.end, bytes };
  }

  /** True while the writer should not write: a reader that holds is too far behind. */
  get full(): boolean {
    const held = this.#heldFrom();
    if (held === undefined) return false;
    if (this.#writable) return (this.#file?.bytesFrom(held) ?? 0) >= this.#fileBound() / 2;
    return this.#records.heldBytesFrom(held) >= this.#memoryBound() / 2;
  }

  /** Adds bytes, which the journal owns from now on. */
  append(channel: Channel, bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    if (this.#writable) this.#write(channel, bytes);
    this.#counted(() => this.#records.append(channel, bytes));
    this.#trim();
    this.#wake();
  }

  /** No more will be written: readers end when they have read the rest, and nobody is waited for. */
  close(): void {
    this.#closed = true;
    this.#forgetAbsent();
    this.onRoom = NOBODY;
    this.#file?.seal();
    // What is in the file need not be in memory, too.
    if (this.#writable) this.#trimMemory(0);
    this.#wake();
  }

  /** Drops all bytes. Readers are told how many they missed. */
  release(): void {
    this.#counted(() => {
      while (this.#records.dropOldest(this.end));
      this.#tried(() => this.#file?.remove());
      this.#file = undefined;
    });
  }

  /** Opens a reader behind `after`. With `holds`, and no earlier such reader, the writer is held back rather than let it lose bytes. */
  open(after: bigint, { holds }: { holds: boolean }): JournalReader {
    const cursor: Cursor = { offset: after };
    let open = true;
    this.#readers += 1;
    if (holds) {
      this.#holders ??= new Set();
      this.#holders.add(cursor);
      this.#forgetAbsent();
    }
    return {
      next: (signal) => this.#next(cursor, signal),
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        this.#readers -= 1;
        if (this.#holders?.delete(cursor)) this.#left(cursor);
        if (this.#readers === 0) this.#forgetReaders();
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
    if (offset >= this.end) return undefined;
    const found = this.#recent(cursor) ?? this.#filed(cursor);
    if (found !== undefined && "damagedTo" in found) {
      const { damagedTo } = found;
      this.#onTrouble(
        new Error(`the bytes ${offset} to ${damagedTo} are damaged on disk, and are not shown`),
      );
      cursor.offset = damagedTo;
      return { kind: "dropped", offset, bytes: damagedTo - offset };
    }
    if (found !== undefined) {
      cursor.offset += BigInt(found.bytes.length);
      return { kind: "output", offset, ...found };
    }
    // Gone: what comes next is the journal's beginning, or what memory has behind a file that broke off.
    cursor.offset = this.start > offset ? this.start : this.#records.start;
    return { kind: "dropped", offset, bytes: cursor.offset - offset };
  }

  #recent(cursor: Cursor): Piece | undefined {
    const found = this.#records.at(cursor.offset);
    if (found === undefined) return undefined;
    cursor.file = undefined;
    return { channel: found.channel, bytes: found.bytes.subarray(0, OUTPUT_CHUNK_BYTES) };
  }

  #filed(cursor: Cursor): Piece | Damage | undefined {
    if (this.#file === undefined) return undefined;
    cursor.file ??= new FileReader(this.#file);
    const reader = cursor.file;
    return this.#tried(() => reader.read(cursor.offset));
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopListening = onAbort(signal, resolve);
    this.#waiting ??= new Set();
    this.#waiting.add(resolve);
    return promise.finally(() => {
      this.#waiting?.delete(resolve);
      stopListening();
    });
  }

  #wake(): void {
    for (const resume of this.#waiting ?? []) resume();
  }

  #forgetReaders(): void {
    this.#holders = undefined;
    if (this.#waiting?.size === 0) this.#waiting = undefined;
  }

  #left(cursor: Cursor): void {
    if (this.#closed || (this.#holders?.size ?? 0) > 0) {
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
    const [first] = this.#holders ?? [];
    return this.#absent?.cursor.offset ?? first?.offset;
  }

  #fileBound(): number {
    return this.#disk.exhausted ? this.#limits.minJournalBytes : this.#limits.maxJournalBytes;
  }

  /** Where memory is only a cache, it is small. */
  #memoryBound(): number {
    const { recentBytes, minRecentBytes, maxMemoryJournalBytes, minMemoryJournalBytes } = this.#limits;
    if (this.#writable) return this.#memory.exhausted ? minRecentBytes : recentBytes;
    return this.#memory.exhausted ? minMemoryJournalBytes : maxMemoryJournalBytes;
  }

  #write(channel: Channel, bytes: Uint8Array): void {
    this.#counted(() => {
      try {
        this.#file?.append(channel, bytes);
      } catch (error) {
        this.#writable = false;
        this.#onTrouble(error);
      }
    });
  }

  #trim(): void {
    const before = this.#heldFrom() ?? this.end;
    this.#counted(() => {
      this.#tried(() => {
        while (this.fileBytes > this.#fileBound() && this.#file?.dropOldest(before));
      });
    });
    this.#trimMemory(this.#memoryBound());
  }

  #trimMemory(toBytes: number): void {
    const before = this.#writable ? this.end : (this.#heldFrom() ?? this.end);
    this.#counted(() => {
      while (this.heldBytes > toBytes && this.#records.dropOldest(before));
    });
  }

  /** What the file system refuses is as good as gone. */
  #tried<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.#onTrouble(error);
      return undefined;
    }
  }

  #counted(change: () => void): void {
    const { heldBytes, fileBytes } = this;
    change();
    if (this.heldBytes !== heldBytes) this.#memory.count(this.heldBytes - heldBytes);
    if (this.fileBytes !== fileBytes) this.#disk.count(this.fileBytes - fileBytes);
  }
}
