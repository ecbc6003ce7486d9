import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink, stat } from "node:fs/promises";
import path from "node:path";
import { alternatingBuffers, CmdopError, FILE_CHUNK_BYTES, readAhead, visible } from "@cmdop/proto";
import type { FileKind } from "../types.ts";
import { localError } from "./local-error.ts";
import { addEntry } from "./tree.ts";
import type { Content, Source, TreeEntry } from "./types.ts";

/** Permission bits that travel. */
const PERMISSION_BITS = 0o777;

/** A file or directory of this computer. */
export function localSource(root: string): Source {
  return {
    isDirectory: () => localError(root, async () => (await stat(root)).isDirectory()),
    tree: (skipped) =>
      localError(root, async () => {
        const { mode } = await stat(root);
        const entries: TreeEntry[] = [];
        // Grows while it is read: level after level.
        const directories = [""];
        for (const directory of directories) {
          for (const raw of await readdir(path.join(root, directory), { encoding: "buffer" })) {
            const name = raw.toString();
            const at = directory === "" ? name : `${directory}/${name}`;
            if (!raw.equals(Buffer.from(name))) {
              skipped({ path: at, reason: "unreadable", message: "Its name is not UTF-8." });
              continue;
            }
            const entry = await entryOf(root, at);
            addEntry(entries, entry);
            if (entry.type === "directory") directories.push(at);
          }
        }
        return { mode: mode & PERMISSION_BITS, entries };
      }),
    open: (below) => {
      const file = path.join(root, below);
      return localError(file, () => LocalContent.open(file, below === ""));
    },
  };
}

async function entryOf(root: string, below: string): Promise<TreeEntry> {
  const at = path.join(root, below);
  const stats = await lstat(at);
  const type: FileKind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  const { size, mode } = stats;
  const linkTarget = type === "symlink" ? { linkTarget: await readlink(at) } : {};
  return { path: below, type, size, mode: mode & PERMISSION_BITS, ...linkTarget };
}

class LocalContent implements Content {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly identity: string;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, at: string, facts: { size: number; mode: number; identity: string }) {
    this.#file = file;
    this.path = at;
    this.size = facts.size;
    this.mode = facts.mode;
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

async function factsOf(
  file: FileHandle,
): Promise<{ size: number; mode: number; identity: string } | undefined> {
  const { dev, ino, size, mtimeNs, mode, ...stats } = await file.stat({ bigint: true });
  const isFile = (mode & BigInt(constants.S_IFMT)) === BigInt(constants.S_IFREG);
  if (!isFile) return undefined;
  const identity = [dev, ino, size, mtimeNs, stats.ctimeNs].join(" ");
  return { size: Number(size), mode: Number(mode) & PERMISSION_BITS, identity };
}
