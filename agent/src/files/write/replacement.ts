import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError, WriteBehind } from "@cmdop/proto";
import { type Boundary, isConfined } from "../place/boundary.ts";
import { linkRefused } from "../place/descend.ts";
import { type Entry, entryOf } from "../place/entry.ts";
import { type Attributes, checkedMode, checkedTime, PERMISSION_BITS } from "../place/mode.ts";
import { shown } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { openPlace, openTarget, type Place } from "../place/resolve.ts";
import { inTurn } from "../place/turns.ts";
import { readRange, refuseIrregular } from "../read/read.ts";
import type { Kept } from "../unfinished/partials.ts";
import { type Condition, checkedCondition, isUnchanged, matching } from "./condition.ts";
import { putInPlace } from "./put.ts";
import { openSpool, type Spool } from "./spool.ts";
import { writeAll } from "./write-all.ts";

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

/**
 * A file's next content, on its way. It waits beside the file, and takes its
 * name at `commit`, at once and on disk; disposed without a commit it leaves
 * nothing. An existing file keeps its owner, permissions, ACL and extended
 * attributes. Where that can't be, or where the file has other names or can't be
 * replaced, it is written in place, which the entry says.
 */
export class Replacement implements AsyncDisposable {
  readonly #place: Place;
  readonly #spool: Spool;
  readonly #behind: WriteBehind;
  readonly #attributes: Attributes;
  readonly #condition: Condition;
  #hash = createHash("sha256");
  #size = 0n;
  #sealed: Sealed | undefined;

  private constructor(place: Place, spool: Spool, attributes: Attributes, condition: Condition) {
    this.#place = place;
    this.#spool = spool;
    this.#behind = new WriteBehind(spool.file);
    this.#attributes = attributes;
    this.#condition = condition;
  }

  /** Begins to replace (or make) the file at an expanded path. A condition that fails already is told before any content. */
  static async open(boundary: Boundary, path: string, options: WriteOptions): Promise<Replacement> {
    const asked = { ...options, mode: checkedMode(options), mtimeMs: checkedTime(options) };
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
    const { partial, keepMs, offset = 0n, kept } = options;
    // Whoever goes on where the stream before it stopped was asked then, and is asked again at the end.
    using _ =
      kept === undefined || offset === 0n ? await matching(condition, place, options.signal) : undefined;
    const mode = leaf === undefined ? asked.mode : Number(leaf.mode) & PERMISSION_BITS;
    await refuseMissing(boundary, place, partial, offset);
    const spool = await openSpool(boundary, place, { mode, partial, keepMs, offset });
    const replacement = new Replacement(place, spool, asked, condition);
    stack.move();
    if (offset > 0n) await replacement.#takeUp(offset, kept);
    return replacement;
  }

  /** Bytes so far. */
  get size(): bigint {
    return this.#size;
  }

  /** Whether what has been written can be kept, to be taken up again. */
  get canBeKept(): boolean {
    return this.#spool.isBeside;
  }

  /** Appends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    const position = Number(this.#size);
    this.#hash.update(bytes);
    this.#size += BigInt(bytes.length);
    await writeAll(this.#spool.file, bytes, position);
    this.#behind.wrote(bytes.length);
  }

  /** What has been written stays when this is disposed, to be taken up again; what to remember of it. */
  async keep(): Promise<Kept> {
    // What the disk did not take is nothing to go on with.
    await this.#behind.settled();
    this.#spool.leave();
    return { stats: await this.#spool.file.stat({ bigint: true }), hash: this.#hash.copy() };
  }

  /** Goes on behind what an earlier stream has written; the hash needs all of it. */
  async #takeUp(offset: bigint, kept: Kept | undefined): Promise<void> {
    const { file } = this.#spool;
    try {
      const stats = await file.stat({ bigint: true });
      const isOurs = stats.isFile() && stats.nlink === 1n && stats.size === offset;
      if (!isOurs) throw notThere(this.#place.path, offset);
      if (kept !== undefined && isUnchanged(kept.stats, stats)) {
        this.#hash = kept.hash.copy();
        this.#size = offset;
        return;
      }
      for await (const piece of readRange(file, stats, { offset: 0n }, this.#place.path)) {
        this.#hash.update(piece);
        this.#size += BigInt(piece.length);
      }
    } catch (thrown) {
      this.#spool.leave();
      await this[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Size and hash of what was written; no more can be written then. */
  sealed(): Sealed {
    this.#sealed ??= { size: this.#size, sha256: this.#hash.digest() };
    return this.#sealed;
  }

  /** Gives the file its new content. Whatever is thrown before that leaves the old one. */
  async commit(): Promise<Entry> {
    const { sha256 } = this.sealed();
    await this.#behind.settled();
    const content = { spool: this.#spool, attributes: this.#attributes, condition: this.#condition };
    const { stats, written } = await inTurn(this.#place, () => putInPlace(content, this.#place));
    const { name, path } = this.#place;
    return { ...entryOf(stats, name, path), sha256, ...(written === undefined ? {} : { written }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#place;
    await this.#spool[Symbol.asyncDispose]();
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
