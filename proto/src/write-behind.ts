import type { FileHandle } from "node:fs/promises";

/** Bytes after which written data are synced to the disk. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/**
 * True while a file is being synced. A sync occupies one of the process's few threads for file operations for
 * as long as the disk takes.
 */
let isDiskBusy = false;

/**
 * Syncs a file while more data arrive, so that the wait at the end is short. One file of the process at a
 * time.
 */
export class WriteBehind {
  readonly #file: FileHandle;
  #waitingBytes = 0;
  #sync = Promise.resolve();
  #failure: { readonly thrown: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Records bytes that were written. Throws the error of an earlier sync. */
  wrote(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure.thrown;
    this.#waitingBytes += bytes;
    if (isDiskBusy || this.#waitingBytes < SYNC_EVERY_BYTES) return;
    this.#waitingBytes = 0;
    isDiskBusy = true;
    this.#sync = this.#begin();
  }

  /**
   * Waits until no sync is under way; throws the error of a failed one. Linux reports such an error only
   * once, so nobody else would ever see it: without this call, the data can't be relied on.
   */
  async settled(): Promise<void> {
    await this.#sync;
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  /** Waits until all data are on disk. Throws the error of any sync. */
  async finish(): Promise<void> {
    await this.settled();
    await this.#file.sync();
  }

  /** Syncs, and keeps the error of a failure. */
  async #begin(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (thrown) {
      this.#failure = { thrown };
    } finally {
      isDiskBusy = false;
    }
  }
}
