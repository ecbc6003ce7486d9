import type { ChainLog, MachineAuditRecord } from "@cmdop/proto";

/** Records that could not be written and wait for room on the disk, in bytes: some 40,000 ends of calls. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/** Between two attempts to write them, in milliseconds. */
const RETRY_MS = 1_000;

/** How a record is written. */
export interface WriteOptions {
  /** Whether it may use up the reserve of a full disk. */
  readonly urgent?: boolean;
}

/** Writes records to the chain: those that something depends on now or never, the others now or later. */
export class RecordWriter {
  readonly #log: ChainLog;
  readonly #onTrouble: (error: unknown) => void;
  #unwritten: string[] = [];
  #unwrittenBytes = 0;
  #retrying: NodeJS.Timeout | undefined;

  constructor(log: ChainLog, onTrouble: (error: unknown) => void) {
    this.#log = log;
    this.#onTrouble = onTrouble;
  }

  /** Records that still wait for room. */
  get unwritten(): number {
    return this.#unwritten.length;
  }

  /** @throws CmdopError AuditUnavailable, and nothing was written */
  write(record: MachineAuditRecord, { urgent = false }: WriteOptions = {}): void {
    this.retry();
    this.#log.append(JSON.stringify(record), { urgent });
  }

  /** For what has happened already: where it can't be written it is kept in memory, and written when it can be. */
  writeOrKeep(record: MachineAuditRecord, { urgent = false }: WriteOptions = {}): void {
    const body = JSON.stringify(record);
    try {
      this.retry();
      this.#log.append(body, { urgent });
    } catch (thrown) {
      this.#onTrouble(thrown);
      this.#keep(body);
    }
  }

  /** Writes what waits, as far as it can be written now. */
  retry(): void {
    let written = 0;
    try {
      for (const body of this.#unwritten) {
        this.#log.append(body);
        written += 1;
        this.#unwrittenBytes -= body.length;
      }
    } catch (thrown) {
      this.#onTrouble(thrown);
    } finally {
      if (written > 0) this.#unwritten = this.#unwritten.slice(written);
      if (this.#unwritten.length === 0) this.#stopRetrying();
    }
  }

  /** Tries once more, and says what is lost. */
  close(): void {
    this.retry();
    this.#stopRetrying();
    if (this.#unwritten.length > 0) {
      this.#onTrouble(new Error(`${this.#unwritten.length} audit records were never written`));
    }
  }

  #keep(body: string): void {
    if (this.#unwrittenBytes + body.length > MAX_UNWRITTEN_BYTES) {
      this.#onTrouble(new Error("too many audit records wait for room: one was dropped"));
      return;
    }
    this.#unwritten.push(body);
    this.#unwrittenBytes += body.length;
    this.#retrying ??= setInterval(() => this.retry(), RETRY_MS).unref();
  }

  #stopRetrying(): void {
    clearInterval(this.#retrying);
    this.#retrying = undefined;
  }
}
