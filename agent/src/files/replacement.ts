import { constants } from "node:fs";
import { access, type FileHandle, open, rename, unlink } from "node:fs/promises";
import { CmdopError } from "@cmdop/proto";
import { type Boundary, isConfined } from "./boundary.ts";
import { changeDurably } from "./durable.ts";
import { type Entry, entryOf } from "./entry.ts";
import { errnoOf, unless } from "./errors.ts";
import { checkedMode, PERMISSION_BITS } from "./mode.ts";
import { shown } from "./path.ts";
import { childOf } from "./pin.ts";
import { refuseIrregular } from "./read.ts";
import { linkRefused, openPlace, openTarget, type Place } from "./resolve.ts";
import { temporaryName } from "./temporary.ts";

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits of a new file; absent means 0o644 less the umask. An existing file keeps its own. */
  readonly mode?: number | undefined;
  /** Whether missing directories are made. */
  readonly createParents: boolean;
}

/** Permission bits of a new file, less the umask. */
const FILE_MODE = 0o644;

/** Of what nobody shall read before it has its final mode. */
const PRIVATE_MODE = 0o600;

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/**
 * A file's next content, on its way. It is written beside the file and takes
 * its name at `commit`, at once and on disk; disposed without a commit it
 * leaves nothing. An existing file keeps its owner and permission bits; other
 * hard links to it keep the old content. Extended attributes are not kept.
 */
export class Replacement implements AsyncDisposable {
  readonly #place: Place;
  readonly #file: FileHandle;
  readonly #temporary: string | Buffer;
  readonly #mode: number | undefined;
  #committed = false;

  private constructor(place: Place, file: FileHandle, temporary: string | Buffer, mode: number | undefined) {
    this.#place = place;
    this.#file = file;
    this.#temporary = temporary;
    this.#mode = mode;
  }

  /** Begins to replace (or make) the file at an expanded path. */
  static async open(boundary: Boundary, path: string, options: WriteOptions): Promise<Replacement> {
    const asked = checkedMode(options.mode);
    using stack = new DisposableStack();
    const place = stack.use(await openDestination(boundary, path, options.createParents));
    const { leaf } = place;
    if (leaf !== undefined) {
      refuseIrregular(leaf, place.path);
      // A rename asks only the directory; a file that may not be written shall not be replaced either.
      await access(childOf(place.directory, place.name), constants.W_OK);
    }
    const mode = leaf === undefined ? asked : Number(leaf.mode) & PERMISSION_BITS;
    const temporary = childOf(place.directory, temporaryName());
    const file = await open(temporary, CREATE, mode === undefined ? FILE_MODE : PRIVATE_MODE);
    stack.move();
    return new Replacement(place, file, temporary, mode);
  }

  /** Appends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      written += (await this.#file.write(bytes, written)).bytesWritten;
    }
  }

  /** Gives the file its new content. Whatever is thrown before the rename leaves the old one. */
  async commit(): Promise<Entry> {
    const { directory, name, path, leaf } = this.#place;
    if (leaf !== undefined) await this.#keepOwner(leaf);
    if (this.#mode !== undefined) await this.#file.chmod(this.#mode);
    await this.#file.sync();
    const stats = await this.#file.stat({ bigint: true });
    await changeDurably(directory, path, async () => {
      await rename(this.#temporary, childOf(directory, name));
      this.#committed = true;
    });
    return entryOf(stats, name, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#place;
    await this.#file.close();
    if (!this.#committed) await unless(["ENOENT"], unlink(this.#temporary));
  }

  async #keepOwner({ uid, gid }: { uid: bigint; gid: bigint }): Promise<void> {
    const ours = await this.#file.stat({ bigint: true });
    if (ours.uid === uid && ours.gid === gid) return;
    try {
      await this.#file.chown(Number(uid), Number(gid));
    } catch (thrown) {
      if (errnoOf(thrown) !== "EPERM") throw thrown;
      const owner = `user ${uid}, group ${gid}`;
      throw new CmdopError(
        "AccessDenied",
        `Replacing ${shown(this.#place.path)} would take it away from its owner (${owner}), and the agent's user may not give it back.`,
        { cause: thrown, next: "Write it with a command that changes it in place, or as its owner." },
      );
    }
  }
}

/** Where the content goes: through a link at the end to the file that it points at, unless the caller is confined. */
async function openDestination(boundary: Boundary, path: string, createParents: boolean): Promise<Place> {
  const place = await openPlace(boundary, path, { createParents });
  if (place.leaf?.isSymbolicLink() !== true) return place;
  place[Symbol.dispose]();
  if (isConfined(boundary)) throw linkRefused(path);
  const target = await unless(["ENOENT"], openTarget(boundary, path));
  if (target === undefined) {
    throw new CmdopError("NotFound", `${shown(path)} is a link to something that does not exist.`, {
      next: "Write to the link's target, or delete the link first.",
    });
  }
  using held = target;
  return openPlace(boundary, held.path);
}
