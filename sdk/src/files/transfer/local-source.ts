import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink, stat } from "node:fs/promises";
import path from "node:path";
import { alternatingBuffers, CmdopError, FILE_CHUNK_BYTES, readAhead, visible } from "@cmdop/proto";
import type { FileKind, SkippedPath } from "../types.ts";
import { localError } from "./local-error.ts";
import { namesDirectory } from "./names.ts";
import { addEntry, isOfOne } from "./tree.ts";
import type { Content, Source, Tree, TreeEntry } from "./types.ts";

/** Permission bits that travel. */
const PERMISSION_BITS = 0o777;

/** A file or directory of this computer. */
export function localSource(root: string): Source {
  return {
    path: root,
    isSeveral: false,
    facts: () =>
      localError(root, async () => {
        // The system itself refuses a slash behind what is no directory.
        const { type, size, mode, mtimeMs } = factsFrom(await stat(root));
        if (type !== "directory" && namesDirectory(root)) throw noDirectory(root);
        return { type, size, mode, mtimeMs };
      }),
    tree: (skipped) => localError(root, () => treeOf(root, skipped)),
    open: (below) => {
      const file = path.join(root, below);
      return localError(file, () => LocalContent.open(file, below === ""));
    },
  };
}

async function treeOf(root: string, skipped: (what: SkippedPath) => void): Promise<Tree> {
  const { mode, mtimeMs } = factsFrom(await stat(root));
  const entries: TreeEntry[] = [];
  // What can't be read is told, and the rest goes on.
  const unless = async <T>(at: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await localError(path.join(root, at), work);
    } catch (thrown) {
      if (!isOfOne(thrown)) throw thrown;
      skipped({ path: at, reason: "unreadable", message: thrown.message });
      return undefined;
    }
  };
  // Grows while it is read: level after level.
  const directories = [""];
  for (const directory of directories) {
    const read = () => readdir(path.join(root, directory), { encoding: "buffer" });
    const names = directory === "" ? await read() : ((await unless(directory, read)) ?? []);
    for (const raw of names) {
      const name = raw.toString();
      const at = directory === "" ? name : `${directory}/${name}`;
      if (!raw.equals(Buffer.from(name))) {
        skipped({ path: at, reason: "unreadable", message: "Its name is not UTF-8." });
        continue;
      }
      const entry = await unless(at, () => entryOf(root, at));
      if (entry === undefined) continue;
      addEntry(entries, entry);
      if (entry.type === "directory") directories.push(at);
    }
  }
  return { attributes: { mode, mtimeMs }, entries };
}

async function entryOf(root: string, below: string): Promise<TreeEntry> {
  const at = path.join(root, below);
  const facts = factsFrom(await lstat(at));
  const linkTarget = facts.type === "symlink" ? { linkTarget: await readlink(at) } : {};
  return { path: below, ...facts, ...linkTarget };
}

function factsFrom(stats: Stats): Omit<TreeEntry, "path" | "linkTarget"> {
  const type: FileKind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  return { type, size: stats.size, mode: stats.mode & PERMISSION_BITS, mtimeMs: stats.mtimeMs };
}

function noDirectory(at: string): CmdopError {
  return new CmdopError("NotADirectory", `${visible(at)} names a directory, and is none.`);
}

class LocalContent implements Content {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly identity: string;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, at: string, facts: Facts) {
    this.#file = file;
    this.path = at;
    this.size = facts.size;
    this.mode = facts.mode;
    this.mtimeMs = facts.mtimeMs;
    this.identity = facts.identity;
  }

  static async open(at: string, follow: boolean): Promise<LocalContent> {
    // A FIFO must not hold us up before it is refused.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
    const file = await open(at, flags);
    try {
      const facts = await factsOf(file);
      if (facts === undefined)
        throw new CmdopError("NotAFile", `${visible(at)} is no regular file.`, {
          next: "Only regular files are transferred; for a directory say recursive.",
        });
      return new LocalContent(file, at, facts);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  read(from: number): AsyncGenerator<Uint8Array> {
    return readAhead(this.#pieces(from, alternatingBuffers()));
  }

  async finish(): Promise<undefined> {
    if ((await factsOf(this.#file))?.identity !== this.identity) throw this.#changed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }

  async *#pieces(from: number, room: (bytes: number) => Buffer): AsyncGenerator<Uint8Array> {
    for (let position = from; position < this.size; ) {
      const wanted = Math.min(FILE_CHUNK_BYTES, this.size - position);
      const { bytesRead, buffer } = await this.#file.read(room(wanted), 0, wanted, position);
      if (bytesRead === 0) throw this.#changed();
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
    }
  }

  #changed(): CmdopError {
    return new CmdopError("FileChanged", `${visible(this.path)} changed while it was being read.`, {
      next: "Transfer it again when nobody writes to it.",
    });
  }
}

/** What is known of a file before it is read. */
interface Facts {
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly identity: string;
}

async function factsOf(file: FileHandle): Promise<Facts | undefined> {
  const { dev, ino, size, mtimeNs, mode, ...stats } = await file.stat({ bigint: true });
  const isFile = (mode & BigInt(constants.S_IFMT)) === BigInt(constants.S_IFREG);
  if (!isFile) return undefined;
  const identity = [dev, ino, size, mtimeNs, stats.ctimeNs].join(" ");
  const mtimeMs = Number(mtimeNs) / 1e6;
  return { size: Number(size), mode: Number(mode) & PERMISSION_BITS, mtimeMs, identity };
}
