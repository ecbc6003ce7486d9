import { CmdopError, LANE_WINDOWS, visible } from "@cmdop/proto";
import type { FileWritten, SkippedPath } from "../types.ts";
import { atOnce } from "./at-once.ts";
import { Line } from "./line.ts";
import { Progress } from "./progress.ts";
import type { PutSettings } from "./transfer.ts";
import { isOfOne, OWNER_BITS, refuseStrayEntries } from "./tree.ts";
import type {
  DirectoryAttributes,
  Source,
  Target,
  TransferResult,
  TreeEntry,
  UploadOptions,
  WrittenFile,
} from "./types.ts";

/**
 * Most files of a tree under way at once: enough to hide the latency to the machine. Each holds a few pieces
 * in memory.
 */
const FILES_IN_FLIGHT = 16;

/**
 * Most large files among them. Where the target's disk is slower than the line, relay or agent holds a window
 * of data for each, and only a limited amount for one key (agent/src/doors/held-calls.ts).
 */
const LARGE_FILES_IN_FLIGHT = 4;
const LARGE_FILE_BYTES = LANE_WINDOWS.download.toCaller.stream / 4;

/** Transfers a directory with all its contents. */
export function transferTree(
  source: Source,
  target: Target,
  options: UploadOptions,
  settings: PutSettings,
): Promise<TransferResult> {
  return new TreeTransfer(source, target, options, settings).run();
}

class TreeTransfer {
  readonly #source: Source;
  readonly #target: Target;
  readonly #options: UploadOptions;
  readonly #settings: PutSettings;
  readonly #skipped: SkippedPath[] = [];
  readonly #written: WrittenFile[] = [];
  /** Directories that could not be made; their contents are skipped. */
  readonly #refused = new Set<string>();
  /**
   * Attributes that directories get at the end, by depth, because writing into a directory changes its time.
   */
  readonly #unfinished: { readonly path: string; readonly attributes: DirectoryAttributes }[][] = [];

  constructor(source: Source, target: Target, options: UploadOptions, settings: PutSettings) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#settings = settings;
  }

  async run(): Promise<TransferResult> {
    const { attributes, entries } = await this.#source.tree((what) => this.#skipped.push(what));
    refuseStrayEntries(entries);
    await this.#directory("", attributes);
    for (const entry of entries) {
      this.#options.signal?.throwIfAborted();
      if (this.#isRefused(entry)) continue;
      if (entry.type === "directory") await this.#try(entry, () => this.#directory(entry.path, entry));
      if (entry.type === "other") this.#skip(entry.path, "It is a device, FIFO or socket.", "unreadable");
    }
    const wanted = entries.filter((entry) => !this.#isRefused(entry));
    const result = await this.#files(wanted.filter(({ type }) => type === "file"));
    // Links come last, so that nothing is ever written through one of them.
    const links = wanted.filter(({ type }) => type === "symlink");
    await atOnce(links, FILES_IN_FLIGHT, (entry) => this.#try(entry, () => this.#link(entry)));
    for (const level of this.#unfinished.toReversed()) {
      await atOnce(level, FILES_IN_FLIGHT, async ({ path, attributes: given }) => {
        await this.#try({ path }, () => this.#target.finishDirectory(path, given));
      });
    }
    const unusual = this.#written.length === 0 ? {} : { written: this.#written };
    return { ...result, skipped: this.#skipped, ...unusual };
  }

  async #files(files: readonly TreeEntry[]): Promise<{ bytes: number; files: number }> {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const progress = new Progress(this.#options, { bytes, files: files.length });
    const line = new Line(FILES_IN_FLIGHT);
    const largeLine = new Line(LARGE_FILES_IN_FLIGHT);
    await atOnce(files, FILES_IN_FLIGHT, async (entry, over) => {
      const asked = this.#options.signal;
      const signal = asked === undefined ? over : AbortSignal.any([asked, over]);
      using large = entry.size > LARGE_FILE_BYTES ? largeLine.turn() : undefined;
      await large?.begin(signal);
      using turn = line.turn();
      await this.#try(entry, async () => {
        await using content = await this.#source.open(entry.path, turn);
        const count = progress.begin(entry.path, content.size, entry.size);
        let isDone = false;
        try {
          const written = (how: FileWritten): void => {
            this.#written.push({ path: entry.path, ...how });
          };
          const options = { ...this.#settings, signal, turn, follow: false, passed: count.passed, written };
          await this.#target.file(entry.path, content, options);
          isDone = true;
        } finally {
          progress.end(count, isDone);
        }
        turn.arrived();
      });
    });
    return progress.result;
  }

  async #directory(path: string, { mode, mtimeMs }: DirectoryAttributes): Promise<void> {
    const made = await this.#target.directory(path, mode);
    if (mode === undefined) return;
    const depth = path === "" ? 0 : path.split("/").length;
    const finish = (attributes: DirectoryAttributes): void => {
      while (this.#unfinished.length <= depth) this.#unfinished.push([]);
      this.#unfinished[depth]?.push({ path, attributes });
    };
    if (this.#settings.preserve) finish({ mode, ...(mtimeMs === undefined ? {} : { mtimeMs }) });
    // A new directory was made writable for its owner; this restores the source's mode.
    else if (made !== undefined && (mode & OWNER_BITS) !== OWNER_BITS) {
      finish({ mode: made & ~(OWNER_BITS & ~mode) });
    }
  }

  async #link({ path, linkTarget, mtimeMs }: TreeEntry): Promise<void> {
    if (linkTarget === undefined)
      throw new CmdopError("Internal", `${visible(path)} is a link without a target.`);
    await this.#target.link(path, linkTarget, this.#settings.preserve ? mtimeMs : undefined);
  }

  /** Runs the work for one entry, and skips the entry if the failure concerns it alone. */
  async #try(
    { path, type }: { path: string; type?: TreeEntry["type"] },
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (!isOfOne(thrown)) throw thrown;
      this.#skip(path, thrown.message, "failed");
      if (type === "directory") this.#refused.add(path);
    }
  }

  #skip(path: string, message: string, reason: SkippedPath["reason"]): void {
    this.#skipped.push({ path, message, reason });
  }

  /**
   * Returns true for an entry in a directory that could not be made. A directory in such a one is then
   * refused too.
   */
  #isRefused({ path, type }: TreeEntry): boolean {
    if (this.#refused.size === 0) return false;
    const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    const isRefused = this.#refused.has(parent) && parent !== "";
    if (isRefused && type === "directory") this.#refused.add(path);
    return isRefused || (type === "directory" && this.#refused.has(path));
  }
}
