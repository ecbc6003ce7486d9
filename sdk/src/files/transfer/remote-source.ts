import { posix } from "node:path";
import { CmdopError, type FilesReadStreamResponse, visible } from "@cmdop/proto";
import { fileInfo } from "../file-info.ts";
import { methodOf } from "../method-of.ts";
import { walkTree } from "../search.ts";
import type { SkippedPath } from "../types.ts";
import type { Turn } from "./line.ts";
import type { Machine } from "./machine.ts";
import { namesDirectory } from "./names.ts";
import { Patience } from "./patience.ts";
import { addEntry } from "./tree.ts";
import type { Content, Source, TreeEntry } from "./types.ts";

/** Mask of the permission bits that are transferred. */
const PERMISSION_BITS = 0o777;

/** Options for reading a machine's files. */
export interface RemoteSourceOptions {
  readonly signal?: AbortSignal | undefined;
  /** True if the reader keeps the pieces. Otherwise each is valid only until the next is requested. */
  readonly keepsPieces?: boolean | undefined;
}

/** Options for reading one file. */
interface ContentOptions extends RemoteSourceOptions {
  readonly turn: Turn;
}

/** Returns a file or directory of a machine as a source. */
export function remoteSource(machine: Machine, root: string, options: RemoteSourceOptions): Source {
  const { files, caller } = machine;
  const { signal } = options;
  const patience = () => new Patience(machine, signal);
  const info = () =>
    patience().until(async () => {
      const call = await caller.options(methodOf("Info"), { signal });
      return fileInfo((await files.info({ path: root }, call)).entry);
    });
  const leadsToDirectory = () =>
    patience().until(async () => {
      const call = await caller.options(methodOf("List"), { signal });
      try {
        await files.list({ path: root, pageSize: 1 }, call);
        return true;
      } catch (thrown) {
        if (CmdopError.from(thrown).code === "NotADirectory") return false;
        throw thrown;
      }
    });
  return {
    path: root,
    isSeveral: false,
    async facts() {
      const { type, size, mode, mtimeMs } = await info();
      const isLink = type === "symlink";
      const isDirectory = type === "directory" || (isLink && (await leadsToDirectory()));
      if (!isDirectory && namesDirectory(root)) throw noDirectory(root);
      const facts = { size: isLink ? 0 : size, mode: mode & PERMISSION_BITS, mtimeMs };
      return { type: isDirectory ? "directory" : "file", ...facts };
    },
    async tree(skipped) {
      const { mode, mtimeMs, type } = await info();
      const found = await patience().until(() => listed(machine, root, signal));
      for (const each of found.skipped) skipped(each);
      // For a link, neither attribute of its target is known.
      const attributes = type === "directory" ? { mode: mode & PERMISSION_BITS, mtimeMs } : {};
      return { attributes, entries: found.entries };
    },
    open: (below, turn) =>
      RemoteContent.open(machine, below === "" ? root : posix.join(root, below), { ...options, turn }),
  };
}

function noDirectory(path: string): CmdopError {
  return new CmdopError(
    "NotADirectory",
    `${visible(path)} is a file, but its name ends like a directory's.`,
    {
      next: "Name it without the slash.",
    },
  );
}

async function listed(machine: Machine, root: string, signal: AbortSignal | undefined) {
  const entries: TreeEntry[] = [];
  const skipped: SkippedPath[] = [];
  let prefix: string | undefined;
  for await (const info of walkTree(machine, root, { signal })) {
    const { name, path, type, size, mode, mtimeMs, linkTarget, unread } = info;
    // Only the machine knows the directory that ~ stands for. The entries directly in the root come first.
    prefix ??= path.slice(0, path.length - name.length);
    const below = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    if (unread !== undefined) skipped.push(unread);
    // A directory that failed midway is reported a second time.
    if (unread !== undefined && entries.some((entry) => entry.path === below)) continue;
    const target = linkTarget === undefined ? {} : { linkTarget };
    addEntry(entries, { path: below, type, size, mode: mode & PERMISSION_BITS, mtimeMs, ...target });
  }
  return { entries, skipped };
}

/** A file of a machine. Its stream continues where it broke, as long as the file is unchanged. */
class RemoteContent implements Content {
  readonly path: string;
  readonly size: number | undefined;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly identity: string;
  readonly #machine: Machine;
  readonly #version: Uint8Array;
  readonly #options: ContentOptions;
  #first: AsyncIterator<FilesReadStreamResponse> | undefined;
  #sha256: Uint8Array | undefined;

  private constructor(
    machine: Machine,
    path: string,
    header: { size: bigint; mode: number; mtimeMs: number; version: Uint8Array },
    first: AsyncIterator<FilesReadStreamResponse>,
    options: ContentOptions,
  ) {
    this.#machine = machine;
    this.path = path;
    // A file in /proc does not tell its size in advance.
    this.size = header.size === 0n ? undefined : Number(header.size);
    this.mode = header.mode & PERMISSION_BITS;
    this.mtimeMs = header.mtimeMs;
    this.identity = Buffer.from(header.version).toString("hex");
    this.#version = header.version;
    this.#first = first;
    this.#options = options;
  }

  static async open(machine: Machine, path: string, options: ContentOptions): Promise<RemoteContent> {
    const { signal, turn } = options;
    await turn.begin(signal);
    return new Patience(machine, signal, turn).until(async () => {
      const call = await readOptions(machine, options);
      const stream = machine.files.readStream({ path, verify: true }, call)[Symbol.asyncIterator]();
      const { value, done } = await stream.next();
      if (done === true || value.header === undefined) {
        throw new CmdopError("LinkLost", "The machine's answer ended before it said what file this is.");
      }
      return new RemoteContent(machine, path, value.header, stream, options);
    });
  }

  async *read(from: number): AsyncGenerator<Uint8Array> {
    const { signal, turn } = this.#options;
    await turn.begin(signal);
    const patience = new Patience(this.#machine, signal, turn);
    let position = from;
    let stream = from === 0 ? this.#first : undefined;
    this.#first = stream === undefined ? this.#first : undefined;
    for (;;) {
      let data: Uint8Array;
      try {
        stream ??= await this.#streamFrom(position);
        const next = await stream.next();
        if (next.done === true) throw new CmdopError("LinkLost", "The stream ended before its hash.");
        this.#sha256 = next.value.sha256;
        if (this.#sha256 !== undefined) {
          // The stream listens to the caller's signal until it is let go of.
          await stream.return?.();
          return;
        }
        data = next.value.data;
      } catch (thrown) {
        stream = undefined;
        await patience.after(thrown);
        continue;
      }
      if (data.length === 0) continue;
      patience.moved();
      position += data.length;
      let isTaken = false;
      try {
        yield data;
        isTaken = true;
      } finally {
        if (!isTaken) await stream.return?.();
      }
    }
  }

  async finish(): Promise<Uint8Array> {
    if (this.#sha256 !== undefined) return this.#sha256;
    throw new CmdopError("Internal", "The content was not read to its end.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first?.return?.();
  }

  async #streamFrom(position: number): Promise<AsyncIterator<FilesReadStreamResponse>> {
    const { files } = this.#machine;
    const call = await readOptions(this.#machine, this.#options);
    const request = { path: this.path, offset: BigInt(position), verify: true, ifVersion: this.#version };
    return files.readStream(request, call)[Symbol.asyncIterator]();
  }
}

async function readOptions({ caller }: Machine, { signal, keepsPieces = false }: RemoteSourceOptions) {
  return { ...(await caller.options(methodOf("ReadStream"), { signal })), recycles: !keepsPieces };
}
