import type { FileProgress, TransferOptions } from "./types.ts";

/** Counts the bytes and files of a transfer, and reports them. */
export class Progress {
  readonly #options: TransferOptions;
  readonly #totalFiles: number | undefined;
  #totalBytes: number | undefined;
  #bytes = 0;
  #resumedBytes = 0;
  #files = 0;
  /** The files under way, in the order in which they were begun. */
  readonly #current = new Set<FileCount>();

  /** `totals`: as far as they are known in advance. */
  constructor(options: TransferOptions, totals: { readonly bytes?: number; readonly files?: number }) {
    this.#options = options;
    this.#totalBytes = totals.bytes;
    this.#totalFiles = totals.files;
  }

  /** Begins a file. `listedBytes`: the part of its size that the total already has. */
  begin(path: string, size: number | undefined, listedBytes: number): FileCount {
    if (this.#totalBytes !== undefined && size !== undefined) this.#totalBytes += size - listedBytes;
    const count = new FileCount(path, size, (bytes, isFound) => {
      this.#bytes += bytes;
      if (isFound) this.#resumedBytes += bytes;
      this.#tell();
    });
    this.#current.add(count);
    return count;
  }

  /** Ends a file that has arrived (`isDone`) or failed. */
  end(count: FileCount, isDone: boolean): void {
    this.#current.delete(count);
    if (!isDone) return;
    this.#files += 1;
    this.#tell();
  }

  get result(): { bytes: number; files: number } {
    return { bytes: this.#bytes, files: this.#files };
  }

  #tell(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const [current] = this.#current;
    onProgress({
      ...this.result,
      resumedBytes: this.#resumedBytes,
      ...(this.#totalBytes === undefined ? {} : { totalBytes: this.#totalBytes }),
      ...(this.#totalFiles === undefined ? {} : { totalFiles: this.#totalFiles }),
      ...(current === undefined ? {} : { current: current.progress }),
    });
  }
}

/** Counts the bytes of one file. */
export class FileCount {
  readonly #path: string;
  readonly #size: number | undefined;
  readonly #counted: (bytes: number, isFound: boolean) => void;
  #bytes = 0;

  constructor(path: string, size: number | undefined, counted: (bytes: number, isFound: boolean) => void) {
    this.#path = path;
    this.#size = size;
    this.#counted = counted;
  }

  readonly passed = (bytes: number, isFound = false): void => {
    this.#bytes += bytes;
    this.#counted(bytes, isFound);
  };

  get progress(): FileProgress {
    const size = this.#size === undefined ? {} : { totalBytes: this.#size };
    return { path: this.#path, bytes: this.#bytes, ...size };
  }
}
