import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, open, rename, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { CmdopError } from "@cmdop/proto";
import { type Boundary, isConfined } from "./boundary.ts";
import { type Condition, checkedCondition, matching, refuseChanged } from "./condition.ts";
import { writeAll } from "./copy-tree.ts";
import { changeDurably } from "./durable.ts";
import { type Entry, entryOf } from "./entry.ts";
import { errnoOf, unless } from "./errors.ts";
import { checkedMode, PERMISSION_BITS } from "./mode.ts";
import { shown } from "./path.ts";
import { childOf, type Pin } from "./pin.ts";
import { publish } from "./publish.ts";
import { refuseIrregular } from "./read.ts";
import { linkRefused, openPlace, openTarget, type Place } from "./resolve.ts";
import { temporaryName } from "./temporary.ts";
import { inTurn } from "./turns.ts";

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits of a new file; absent means 0o644 less the umask. An existing file keeps its own. */
  readonly mode?: number | undefined;
  /** Whether missing directories are made. */
  readonly createParents: boolean;
  /** SHA-256 that the file's content must have: compare and swap. */
  readonly ifMatch?: Uint8Array | undefined;
  /** Whether nothing may have the name. */
  readonly ifAbsent?: boolean | undefined;
}

/** What a replacement holds when all is written. */
export interface Sealed {
  /** Bytes. */
  readonly size: bigint;
  readonly sha256: Buffer;
}

/** Permission bits of a new file, less the umask. */
export const FILE_MODE = 0o644;

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
  readonly #temporary: string;
  readonly #mode: number | undefined;
  readonly #condition: Condition;
  readonly #note: AsyncDisposable | undefined;
  readonly #hash = createHash("sha256");
  #size = 0n;
  #sealed: Sealed | undefined;
  #committed = false;

  private constructor(
    place: Place,
    file: FileHandle,
    temporary: string,
    mode: number | undefined,
    condition: Condition,
    note: AsyncDisposable | undefined,
  ) {
    this.#place = place;
    this.#file = file;
    this.#temporary = temporary;
    this.#mode = mode;
    this.#condition = condition;
    this.#note = note;
  }

  /** Begins to replace (or make) the file at an expanded path. A condition that fails already is told before any content. */
  static async open(boundary: Boundary, path: string, options: WriteOptions): Promise<Replacement> {
    const asked = checkedMode(options.mode);
    const condition = checkedCondition(boundary, options);
    using stack = new DisposableStack();
    const place = stack.use(await openDestination(boundary, path, options.createParents, condition.ifAbsent));
    const { leaf } = place;
    if (leaf !== undefined) {
      refuseIrregular(leaf, place.path);
      // A rename asks only the directory; a file that may not be written shall not be replaced either.
      await access(childOf(place.directory, place.name), constants.W_OK);
    }
    using _ = await matching(condition, place);
    const mode = leaf === undefined ? asked : Number(leaf.mode) & PERMISSION_BITS;
    const temporary = temporaryName();
    const at = childOf(place.directory, temporary);
    const note = await boundary.unfinished?.note(posix.dirname(place.path), temporary);
    try {
      const file = await open(at, CREATE, mode === undefined ? FILE_MODE : PRIVATE_MODE);
      stack.move();
      return new Replacement(place, file, temporary, mode, condition, note);
    } catch (thrown) {
      await note?.[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Bytes so far. */
  get size(): bigint {
    return this.#size;
  }

  /** Appends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#size += BigInt(bytes.length);
    await writeAll(this.#file, bytes);
  }

  /** Size and hash of what was written; no more can be written then. */
  sealed(): Sealed {
    this.#sealed ??= { size: this.#size, sha256: this.#hash.digest() };
    return this.#sealed;
  }

  /** Gives the file its new content. Whatever is thrown before the rename leaves the old one. */
  async commit(): Promise<Entry> {
    const { sha256 } = this.sealed();
    const { directory, name, path, leaf } = this.#place;
    if (leaf !== undefined) await this.#keepOwner(leaf);
    if (this.#mode !== undefined) await this.#file.chmod(this.#mode);
    await this.#file.sync();
    const stats = await this.#file.stat({ bigint: true });
    await inTurn(this.#place, async () => {
      using old = await matching(this.#condition, this.#place);
      await changeDurably(directory, path, () => this.#rename(old));
    });
    return { ...entryOf(stats, name, path), sha256 };
  }

  async #rename(old: Pin | undefined): Promise<void> {
    const { directory, name } = this.#place;
    const from = childOf(directory, this.#temporary);
    if (this.#condition.ifAbsent) {
      using made = await this.#condition.boundary.pinning.pin(from, false);
      await publish({ directory, name: this.#temporary, pin: made }, this.#place, false);
    } else {
      // Programs of the machine don't take turns with us: as late as possible, once more.
      if (old !== undefined) await refuseChanged(old, this.#place);
      await rename(from, childOf(directory, name));
    }
    this.#committed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#place;
    await this.#file.close();
    if (!this.#committed) await unless(["ENOENT"], unlink(childOf(this.#place.directory, this.#temporary)));
    await this.#note?.[Symbol.asyncDispose]();
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
export async function openDestination(
  boundary: Boundary,
  path: string,
  createParents: boolean,
  ifAbsent = false,
): Promise<Place> {
  const place = await openPlace(boundary, path, { createParents });
  if (ifAbsent && place.leaf !== undefined) {
    place[Symbol.dispose]();
    throw new CmdopError("AlreadyExists", `${shown(path)} exists already; it was not to be replaced.`, {
      next: "Choose another name, or write without ifAbsent.",
    });
  }
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
