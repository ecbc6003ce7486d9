import { CmdopError, LANE_WINDOWS, visible } from "@cmdop/proto";
import type { SkippedPath } from "../types.ts";
import { hashBytes } from "../write.ts";
import { Line, type Turn } from "./line.ts";
import { refuseStrayEntries } from "./tree.ts";
import type { PutOptions, Source, Target, TransferResult, TreeEntry, UploadOptions } from "./types.ts";

/** Files of a tree under way at once: enough to hide the way to the machine. Each holds a few pieces in memory. */
const FILES_IN_FLIGHT = 16;

/** Of those, large ones: where the disk they go to is slower than the way there, relay or agent holds a window for each, and only so much for one key (agent/src/doors/held-calls.ts). */
const LARGE_FILES_IN_FLIGHT = 4;
const LARGE_FILE_BYTES = LANE_WINDOWS.download.toCaller.stream / 4;

/** Brings a file or a tree from one place to another. */
export async function transfer(
  source: Source,
  target: Target,
  options: UploadOptions,
): Promise<TransferResult> {
  try {
    return await transferAll(source, target, options);
  } catch (thrown) {
    if (options.signal?.aborted !== true || CmdopError.from(thrown).code === "Canceled") throw thrown;
    throw new CmdopError("Canceled", "The transfer was canceled; what had not arrived whole is not there.", {
      cause: thrown,
    });
  }
}

async function transferAll(source: Source, target: Target, options: UploadOptions): Promise<TransferResult> {
  const { signal, recursive = false } = options;
  signal?.throwIfAborted();
  if (await source.isDirectory()) {
    if (options.ifMatch !== undefined) throw singleFile();
    if (recursive) return transferTree(source, target, options);
    throw new CmdopError("IsADirectory", "The source is a directory.", {
      next: "Say recursive to transfer it with all that is in it.",
    });
  }
  using turn = new Line(1).turn();
  await using content = await source.open("", turn);
  const progress = new Progress(options, content.size);
  const sha256 = await target.file("", content, { ...put(options, progress, turn), follow: true });
  progress.fileDone();
  return { ...progress.result, skipped: [], sha256: Buffer.from(sha256).toString("hex") };
}

async function transferTree(source: Source, target: Target, options: UploadOptions): Promise<TransferResult> {
  const skipped: SkippedPath[] = [];
  const { mode, entries } = await source.tree((what) => skipped.push(what));
  refuseStrayEntries(entries);
  const files = entries.filter(({ type }) => type === "file");
  const progress = new Progress(
    options,
    files.reduce((sum, { size }) => sum + size, 0),
  );
  await target.directory("", mode);
  for (const entry of entries) {
    options.signal?.throwIfAborted();
    if (entry.type === "directory") await target.directory(entry.path, entry.mode);
    if (entry.type === "other") {
      skipped.push({ path: entry.path, reason: "unreadable", message: "It is a device, FIFO or socket." });
    }
  }
  const line = new Line(FILES_IN_FLIGHT);
  const largeLine = new Line(LARGE_FILES_IN_FLIGHT);
  await atOnce(files, FILES_IN_FLIGHT, async ({ path, size }, over) => {
    const signal = options.signal === undefined ? over : AbortSignal.any([options.signal, over]);
    using large = size > LARGE_FILE_BYTES ? largeLine.turn() : undefined;
    await large?.begin(signal);
    using turn = line.turn();
    await using content = await source.open(path, turn);
    await target.file(path, content, { ...put(options, progress, turn), signal });
    turn.arrived();
    progress.fileDone();
  });
  // Last, so that nothing is ever written through one of them.
  await atOnce(links(entries), FILES_IN_FLIGHT, ({ path, linkTarget }) => target.link(path, linkTarget));
  return { ...progress.result, skipped };
}

function put(options: UploadOptions, progress: Progress, turn: Turn): PutOptions {
  const { overwrite = true, resume = false, signal } = options;
  const ifMatch = options.ifMatch === undefined ? undefined : hashBytes(options.ifMatch);
  if (ifMatch !== undefined && !overwrite) {
    throw new CmdopError("InvalidArgument", "ifMatch replaces a file, and overwrite: false forbids it.", {
      next: "Give one of them.",
    });
  }
  const passed = (bytes: number) => progress.passed(bytes);
  return { overwrite, resume, ifMatch, signal, turn, follow: false, passed };
}

function singleFile(): CmdopError {
  return new CmdopError("InvalidArgument", "ifMatch is for a single file, and the source is a directory.", {
    next: "Transfer its files one by one, each with the hash of what it replaces.",
  });
}

function links(entries: readonly TreeEntry[]): { path: string; linkTarget: string }[] {
  return entries.flatMap(({ type, path, linkTarget }) => {
    if (type !== "symlink") return [];
    if (linkTarget !== undefined) return [{ path, linkTarget }];
    throw new CmdopError("Internal", `${visible(path)} is a link that says nothing.`);
  });
}

/** Works on all items, so many at once; the first failure ends it, when what is under way has ended too. */
async function atOnce<T>(
  items: readonly T[],
  count: number,
  work: (item: T, over: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (over.signal.aborted) return;
      try {
        await work(item, over.signal);
      } catch (thrown) {
        over.abort(thrown);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker));
  if (over.signal.aborted) throw over.signal.reason;
}

/** Counts, and tells. */
class Progress {
  readonly #options: UploadOptions;
  readonly #totalBytes: number | undefined;
  #bytes = 0;
  #files = 0;

  constructor(options: UploadOptions, totalBytes: number | undefined) {
    this.#options = options;
    this.#totalBytes = totalBytes;
  }

  passed(bytes: number): void {
    this.#bytes += bytes;
    this.#tell();
  }

  fileDone(): void {
    this.#files += 1;
    this.#tell();
  }

  get result(): { bytes: number; files: number } {
    return { bytes: this.#bytes, files: this.#files };
  }

  #tell(): void {
    const total = this.#totalBytes === undefined ? {} : { totalBytes: this.#totalBytes };
    this.#options.onProgress?.({ ...this.result, ...total });
  }
}
