import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, open, rename, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { CmdopError, utimesArgument, WriteBehind } from "@cmdop/proto";
import { type Boundary, isConfined } from "../place/boundary.ts";
import { linkRefused } from "../place/descend.ts";
import { type Entry, entryOf } from "../place/entry.ts";
import { errnoOf, unless } from "../place/errors.ts";
import { type Attributes, checkedMode, checkedTime, PERMISSION_BITS } from "../place/mode.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openPlace, openTarget, type Place } from "../place/resolve.ts";
import { readRange, refuseIrregular } from "../read/read.ts";
import { writeAll } from "../tree/copy-tree.ts";
import type { Kept } from "../unfinished/partials.ts";
import { temporaryName } from "../unfinished/temporary.ts";
import { type Condition, checkedCondition, isUnchanged, matching, refuseChanged } from "./condition.ts";
import { changeDurably } from "./durable.ts";
import { publish } from "./publish.ts";
import { inTurn } from "./turns.ts";

/** How a file is written. */
export interface WriteOptions extends Attributes {
  /** Whether missing directories are made. */
  readonly parents: boolean;
  /** SHA-256 that the file's content must have: compare and swap. */
  readonly ifMatch?: Uint8Array | undefined;
  /** Whether nothing may have the name. */
  readonly ifAbsent?: boolean | undefined;
  /** The name under which what has arrived is kept, so that the upload can be resumed. */
  readonly partial?: string | undefined;
  /** How long that waits to be resumed, in milliseconds; a day unless given. */
  readonly keepMs?: number | undefined;
  /** Bytes that are there already. */
  readonly offset?: bigint | undefined;
  /** What is remembered of those. */
  readonly kept?: Kept | undefined;
  /** Ends the look at the old content before anything is written: nobody waits for it any more. */
  readonly signal?: AbortSignal | undefined;
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

const RESUME = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
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
  readonly #behind: WriteBehind;
  readonly #temporary: string;
  readonly #mode: number | undefined;
  readonly #mtimeMs: number | undefined;
  readonly #condition: Condition;
  readonly #note: Disposable | undefined;
  #hash = createHash("sha256");
  #size = 0n;
  #sealed: Sealed | undefined;
  #committed = false;
  #kept = false;

  private constructor(
    place: Place,
    file: FileHandle,
    temporary: string,
    { mode, mtimeMs }: Attributes,
    condition: Condition,
    note: Disposable | undefined,
  ) {
    this.#place = place;
    this.#file = file;
    this.#behind = new WriteBehind(file);
    this.#temporary = temporary;
    this.#mode = mode;
    this.#mtimeMs = mtimeMs;
    this.#condition = condition;
    this.#note = note;
  }

  /** Begins to replace (or make) the file at an expanded path. A condition that fails already is told before any content. */
  static async open(boundary: Boundary, path: string, options: WriteOptions): Promise<Replacement> {
    const asked = checkedMode(options);
    const mtimeMs = checkedTime(options);
    const condition = checkedCondition(boundary, options);
    using stack = new DisposableStack();
    // Where a content is to match there must be a file: nothing is made before that is known.
    const parents = options.parents && condition.ifMatch === undefined;
    const place = stack.use(await openDestination(boundary, path, parents, condition.ifAbsent));
    const { leaf } = place;
    if (leaf !== undefined) {
      refuseIrregular(leaf, place.path);
      // A rename asks only the directory; a file that may not be written shall not be replaced either.
      await access(childOf(place.directory, place.name), constants.W_OK);
    }
    const { partial, offset = 0n, kept } = options;
    // Whoever goes on where the stream before it stopped was asked then, and is asked again at the end.
    using _ =
      kept === undefined || offset === 0n ? await matching(condition, place, options.signal) : undefined;
    const isGiven = leaf === undefined || (asked !== undefined && options.modeUse === "always");
    const mode = isGiven ? asked : Number(leaf.mode) & PERMISSION_BITS;
    const temporary = partial ?? temporaryName();
    const at = childOf(place.directory, temporary);
    await refuseMissing(boundary, place, partial, offset);
    const note = await boundary.unfinished?.note(posix.dirname(place.path), temporary, {
      upload: partial !== undefined,
      keepMs: options.keepMs,
    });
    try {
      const flags = offset > 0n ? RESUME : CREATE;
      const file = await unless(
        offset > 0n ? [] : ["ENOENT"],
        open(at, flags, mode === undefined ? FILE_MODE : PRIVATE_MODE),
      );
      if (file === undefined) throw noNewFiles(place.path);
      const replacement = new Replacement(place, file, temporary, { mode, mtimeMs }, condition, note);
      stack.move();
      if (offset > 0n) await replacement.#takeUp(offset, kept);
      return replacement;
    } catch (thrown) {
      // What an earlier stream has written is still there, so it stays written down.
      if (offset === 0n) note?.[Symbol.dispose]();
      throw thrown;
    }
  }

  /** Bytes so far. */
  get size(): bigint {
    return this.#size;
  }

  /** Appends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    const position = Number(this.#size);
    this.#hash.update(bytes);
    this.#size += BigInt(bytes.length);
    await writeAll(this.#file, bytes, position);
    this.#behind.wrote(bytes.length);
  }

  /** What has been written stays when this is disposed, to be taken up again; what to remember of it. */
  async keep(): Promise<Kept> {
    // What the disk did not take is nothing to go on with.
    await this.#behind.settled();
    this.#kept = true;
    return { stats: await this.#file.stat({ bigint: true }), hash: this.#hash.copy() };
  }

  /** Goes on behind what an earlier stream has written; the hash needs all of it. */
  async #takeUp(offset: bigint, kept: Kept | undefined): Promise<void> {
    try {
      const stats = await this.#file.stat({ bigint: true });
      const isOurs = stats.isFile() && stats.nlink === 1n && stats.size === offset;
      if (!isOurs) throw notThere(this.#place.path, offset);
      if (kept !== undefined && isUnchanged(kept.stats, stats)) {
        this.#hash = kept.hash.copy();
        this.#size = offset;
        return;
      }
      for await (const piece of readRange(this.#file, stats, { offset: 0n }, this.#place.path)) {
        this.#hash.update(piece);
        this.#size += BigInt(piece.length);
      }
    } catch (thrown) {
      this.#kept = true;
      await this[Symbol.asyncDispose]();
      throw thrown;
    }
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
    if (this.#mtimeMs !== undefined) await this.#file.utimes(new Date(), utimesArgument(this.#mtimeMs));
    await this.#behind.finish();
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
      using made = await this.#condition.boundary.pinning.pin(from);
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
    if (this.#kept && !this.#committed) return;
    if (!this.#committed) await unless(["ENOENT"], unlink(childOf(this.#place.directory, this.#temporary)));
    this.#note?.[Symbol.dispose]();
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

/** Refuses to go on where there is nothing of ours to go on with; a new beginning removes what is left of an old one. */
async function refuseMissing(
  boundary: Boundary,
  place: Place,
  partial: string | undefined,
  offset: bigint,
): Promise<void> {
  if (partial === undefined) {
    if (offset > 0n) throw notThere(place.path, offset);
    return;
  }
  const isBegun = boundary.unfinished?.isUpload(posix.dirname(place.path), partial);
  if (offset > 0n && !isBegun) throw notThere(place.path, offset);
  if (offset === 0n && isBegun) await unless(["ENOENT"], unlink(childOf(place.directory, partial)));
}

/** Its directory is there and held: a filesystem such as /proc has files of its own, and takes no others. */
function noNewFiles(path: string): CmdopError {
  return new CmdopError(
    "AccessDenied",
    `Can't write ${shown(path)}: no new file can be made in its directory.`,
    {
      next: "Files of /proc and /sys can't be replaced: change them in place, by append or with a command.",
    },
  );
}

function notThere(path: string, offset: bigint): CmdopError {
  return new CmdopError(
    "FileChanged",
    `There are not ${offset} bytes of this upload to ${shown(path)} on the machine.`,
    { next: "Ask with Partial how many there are, and go on there." },
  );
}

/** Where the content goes: through a link at the end to the file that it points at, unless the caller is confined. */
export async function openDestination(
  boundary: Boundary,
  path: string,
  parents: boolean,
  ifAbsent = false,
): Promise<Place> {
  const place = await openPlace(boundary, path, { parents });
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
