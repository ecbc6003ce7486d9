import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink, stat } from "node:fs/promises";
import path from "node:path";
import {
  alternatingBuffers,
  CmdopError,
  FILE_CHUNK_BYTES,
  pathText,
  printable,
  readAhead,
  systemPath,
} from "@cmdop/proto";
import type { FileKind, SkippedPath } from "../types.ts";
import { localError } from "./local-error.ts";
import { namesDirectory } from "./names.ts";
import { addEntry, isOfOne } from "./tree.ts";
import type { Content, Source, Tree, TreeEntry } from "./types.ts";

/** Mask of the permission bits that are transferred. */
const PERMISSION_BITS = 0o777;

/**
 * Returns a file or directory of this computer as a source, from its path as Node takes it: text or bytes.
 * Within a transfer all names are text in the form of `pathText`.
 */
export function localSource(given: string | Uint8Array): Source {
  const root = pathText(given);
  return {
    path: root,
    isSeveral: false,
    facts: () =>
      localError(root, async () => {
        // The system itself refuses a slash after the name of anything but a directory.
        const { type, size, mode, mtimeMs } = factsFrom(await stat(systemPath(root)));
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
  const { mode, mtimeMs } = factsFrom(await stat(systemPath(root)));
  const entries: TreeEntry[] = [];
  // Entries that can't be read are reported, and the rest goes on.
  const unless = async <T>(at: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await localError(path.join(root, at), work);
    } catch (thrown) {
      if (!isOfOne(thrown)) throw thrown;
      skipped({ path: at, reason: "unreadable", message: thrown.message });
      return undefined;
    }
  };
  // The list grows during the loop, level after level.
  const directories = [""];
  for (const directory of directories) {
    const read = () => readdir(systemPath(path.join(root, directory)), { encoding: "buffer" });
    const names = directory === "" ? await read() : ((await unless(directory, read)) ?? []);
    for (const raw of names) {
      const name = pathText(raw);
      const at = directory === "" ? name : `${directory}/${name}`;
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
  const facts = factsFrom(await lstat(systemPath(at)));
  const linkTarget =
    facts.type === "symlink"
      ? { linkTarget: pathText(await readlink(systemPath(at), { encoding: "buffer" })) }
      : {};
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
  return new CmdopError(
    "NotADirectory",
    `${printable(at)} is not a directory, though its name ends like one's.`,
  );
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
    // O_NONBLOCK, because opening a FIFO would block before it is refused.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
    const file = await open(systemPath(at), flags);
    try {
      const facts = await factsOf(file);
      if (facts === undefined)
        throw new CmdopError("NotAFile", `${printable(at)} is not a regular file.`, {
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
    return new CmdopError("FileChanged", `${printable(this.path)} changed while it was being read.`, {
      next: "Transfer it again when nobody writes to it.",
    });
  }
}

/** The facts of a file before it is read. */
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
