import type { FileHandle } from "node:fs/promises";

/** Written bytes after which the disk is given them, in bytes. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/** Lets the disk write what a file has got while more comes, so that the wait at the end is short. */
export class WriteBehind {
  readonly #file: FileHandle;
  #waitingBytes = 0;
  #isSyncing = false;
  #sync = Promise.resolve();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Tells of bytes that were written. */
  wrote(bytes: number): void {
    this.#waitingBytes += bytes;
    if (this.#isSyncing || this.#waitingBytes < SYNC_EVERY_BYTES) return;
    this.#waitingBytes = 0;
    this.#isSyncing = true;
    this.#sync = this.#file.datasync().then(() => {
      this.#isSyncing = false;
    });
    // Linux tells of an error once: it is kept for `finish`, and nothing is begun after it.
    void Promise.allSettled([this.#sync]);
  }

  /** Resolves when all that was written is on disk. Throws what any sync failed with. */
  async finish(): Promise<void> {
    await this.#sync;
    await this.#file.sync();
  }
}
