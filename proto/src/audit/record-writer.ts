import { isDiskTrouble } from "../disk.ts";
import type { ChainLog } from "./chain-log.ts";
import type { AnyAuditRecord } from "./records.ts";

/** Bytes of records that wait in memory for room on the disk: some 40,000 ends of calls. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/**
 * The same with urgent records, of those who repair the disk: other waiting records leave them room for some
 * 4,000 records.
 */
const MAX_UNWRITTEN_URGENT_BYTES = MAX_UNWRITTEN_BYTES + 1024 * 1024;

/** Interval between two attempts to write them, in milliseconds. */
const RETRY_MS = 1_000;

/** Options for writing a record. */
export interface WriteOptions {
  /** True if it may use the reserve of a full disk, and then wait in memory. */
  readonly urgent?: boolean;
}

/** A record that waits to be written. */
interface Unwritten {
  readonly body: string;
  readonly urgent: boolean;
}

/**
 * Writes records to a chain. A record that must precede an action is written at once or refused. If the disk
 * accepts nothing at all, not even from its reserve, such records of owners and admins wait in memory, so
 * that they can come in and repair it. Records of past events are written at once or later. All keep their
 * order, with one exception: records that may use the reserve overtake waiting records that may not.
 */
export class RecordWriter {
  readonly #chain: Pick<ChainLog, "append">;
  readonly #onTrouble: (error: unknown) => void;
  #unwritten: Unwritten[] = [];
  #unwrittenBytes = 0;
  #retrying: NodeJS.Timeout | undefined;

  /** `onTrouble`: called with each failed write. */
  constructor(chain: Pick<ChainLog, "append">, onTrouble: (error: unknown) => void) {
    this.#chain = chain;
    this.#onTrouble = onTrouble;
  }

  /** Number of records that still wait for room. */
  get unwritten(): number {
    return this.#unwritten.length;
  }

  /**
   * Writes a record that must precede an action.
   * @throws CmdopError AuditUnavailable: the record was not written and never will be
   */
  write(record: AnyAuditRecord, { urgent = false }: WriteOptions = {}): void {
    const body = JSON.stringify(record);
    try {
      this.#append(body, urgent);
    } catch (thrown) {
      this.#onTrouble(thrown);
      if (!urgent || !isDiskTrouble(thrown) || !this.#keep({ body, urgent })) throw thrown;
    }
  }

  /** Writes a record of a past event. If it can't be written, it is kept in memory until it can. */
  writeOrKeep(record: AnyAuditRecord, { urgent = false }: WriteOptions = {}): void {
    const body = JSON.stringify(record);
    try {
      this.#append(body, urgent);
    } catch (thrown) {
      this.#onTrouble(thrown);
      if (!this.#keep({ body, urgent })) {
        this.#onTrouble(new Error("too many audit records wait for room: one was dropped"));
      }
    }
  }

  /** Writes waiting records as far as possible now; returns true if none are left. */
  retry(): boolean {
    try {
      this.#writeUnwritten();
    } catch (thrown) {
      this.#onTrouble(thrown);
    }
    return this.#unwritten.length === 0;
  }

  /** Tries once more, and reports the lost records. */
  close(): void {
    this.retry();
    this.#stopRetrying();
    if (this.#unwritten.length > 0) {
      this.#onTrouble(new Error(`${this.#unwritten.length} audit records were never written`));
    }
  }

  /**
   * Appends a record after the waiting ones; otherwise an end could precede its begin. An urgent record
   * overtakes them only if all of them wait for ordinary room, not for a disk that accepts nothing.
   */
  #append(body: string, urgent: boolean): void {
    try {
      this.#writeUnwritten();
    } catch (thrown) {
      if (!urgent || this.#unwritten.some((waiting) => waiting.urgent)) throw thrown;
    }
    this.#chain.append(body, { urgent });
  }

  #writeUnwritten(): void {
    let written = 0;
    try {
      for (const { body, urgent } of this.#unwritten) {
        this.#chain.append(body, { urgent });
        written += 1;
        this.#unwrittenBytes -= body.length;
      }
    } finally {
      if (written > 0) this.#unwritten = this.#unwritten.slice(written);
      if (this.#unwritten.length === 0) this.#stopRetrying();
    }
  }

  /** Keeps a record in memory; returns false if there is no room for it. */
  #keep(waiting: Unwritten): boolean {
    const bytes = this.#unwrittenBytes + waiting.body.length;
    if (bytes > (waiting.urgent ? MAX_UNWRITTEN_URGENT_BYTES : MAX_UNWRITTEN_BYTES)) return false;
    this.#unwritten.push(waiting);
    this.#unwrittenBytes = bytes;
    this.#retrying ??= setInterval(() => this.retry(), RETRY_MS).unref();
    return true;
  }

  #stopRetrying(): void {
    clearInterval(this.#retrying);
    this.#retrying = undefined;
  }
}
