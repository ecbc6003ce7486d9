import { isDiskTrouble } from "../disk.ts";
import type { ChainLog } from "./chain-log.ts";
import type { AnyAuditRecord } from "./records.ts";

/** Records that could not be written and wait for room on the disk, in bytes: some 40,000 ends of calls. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/** The same for what those do who come to repair the disk: what waits of others leaves them some 4,000 records. */
const MAX_UNWRITTEN_URGENT_BYTES = MAX_UNWRITTEN_BYTES + 1024 * 1024;

/** Between two attempts to write them, in milliseconds. */
const RETRY_MS = 1_000;

/** How a record is written. */
export interface WriteOptions {
  /** Whether it may use up the reserve of a full disk, and then wait in memory. */
  readonly urgent?: boolean;
}

/** A record that waits. */
interface Unwritten {
  readonly body: string;
  readonly urgent: boolean;
}

/**
 * Writes records to a chain. Those that something depends on are written now or
 * refused; but where the disk takes nothing at all, not even from its reserve,
 * those of owners and admins wait in memory, so that they can come in and repair
 * it. What has happened already is written now or later. All keep their order,
 * but that the ends of other calls, which wait for room, are overtaken by what
 * may use the reserve.
 */
export class RecordWriter {
  readonly #chain: Pick<ChainLog, "append">;
  readonly #onTrouble: (error: unknown) => void;
  #unwritten: Unwritten[] = [];
  #unwrittenBytes = 0;
  #retrying: NodeJS.Timeout | undefined;

  /** `onTrouble`: told of what could not be written. */
  constructor(chain: Pick<ChainLog, "append">, onTrouble: (error: unknown) => void) {
    this.#chain = chain;
    this.#onTrouble = onTrouble;
  }

  /** Records that still wait for room. */
  get unwritten(): number {
    return this.#unwritten.length;
  }

  /** @throws CmdopError AuditUnavailable, and nothing was written nor will be */
  write(record: AnyAuditRecord, { urgent = false }: WriteOptions = {}): void {
    const body = JSON.stringify(record);
    try {
      this.#append(body, urgent);
    } catch (thrown) {
      this.#onTrouble(thrown);
      if (!urgent || !isDiskTrouble(thrown) || !this.#keep({ body, urgent })) throw thrown;
    }
  }

  /** For what has happened already: where it can't be written it is kept in memory, and written when it can be. */
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

  /** Writes what waits, as far as it can be written now; whether nothing waits any more. */
  retry(): boolean {
    try {
      this.#writeUnwritten();
    } catch (thrown) {
      this.#onTrouble(thrown);
    }
    return this.#unwritten.length === 0;
  }

  /** Tries once more, and says what is lost. */
  close(): void {
    this.retry();
    this.#stopRetrying();
    if (this.#unwritten.length > 0) {
      this.#onTrouble(new Error(`${this.#unwritten.length} audit records were never written`));
    }
  }

  /** What waits comes first: an end would else stand before its begin. Only what waits for room alone, and not for a disk that takes nothing, is overtaken by what may use the reserve. */
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

  /** False where there is no room in memory either. */
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
