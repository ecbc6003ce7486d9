import type { FileHandle } from "node:fs/promises";

/** Written bytes after which the disk is given them, in bytes. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/** Whether any file is being synced: each takes one of the process's few threads for file operations, for as long as the disk takes. */
let isDiskBusy = false;

/** Lets the disk write what a file has got while more comes, so that the wait at the end is short. One file of the process at a time. */
export class WriteBehind {
  readonly #file: FileHandle;
  #waitingBytes = 0;
  #sync = Promise.resolve();
  #failure: { readonly thrown: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Tells of bytes that were written. Throws what an earlier sync failed with. */
  wrote(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure.thrown;
    this.#waitingBytes += bytes;
    if (isDiskBusy || this.#waitingBytes < SYNC_EVERY_BYTES) return;
    this.#waitingBytes = 0;
    isDiskBusy = true;
    this.#sync = this.#begin();
  }

  /**
   * Resolves when no sync is under way; throws what one failed with. Linux tells
   * of a failure once, so nobody else would ever hear of it: what was written is
   * not to be relied on without this.
   */
  async settled(): Promise<void> {
    await this.#sync;
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  /** Resolves when all that was written is on disk. Throws what any sync failed with. */
  async finish(): Promise<void> {
    await this.settled();
    await this.#file.sync();
  }

  /** Keeps what it fails with. */
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
