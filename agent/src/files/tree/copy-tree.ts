import { type BigIntStats, constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  lchown,
  lutimes,
  mkdir,
  open,
  readlink,
  symlink,
  utimes,
} from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, FILE_CHUNK_BYTES, pathText } from "@cmdop/proto";
import { refuseOwn } from "../place/boundary.ts";
import { attempt } from "../place/errors.ts";
import { MAX_READ_ATTEMPTS } from "../place/limits.ts";
import { PERMISSION_BITS } from "../place/mode.ts";
import { rawNames } from "../place/names.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openRegular, readRange, refuseWrittenTo } from "../read/read.ts";
import { changeDurably } from "../write/durable.ts";
import { writeAll } from "../write/write-all.ts";
import { refuseLeadingOut } from "./links-out.ts";
import { below, goOn, type Spot, type TreeWalk } from "./tree-walk.ts";

/** A copy on its way. */
export interface CopyWalk extends TreeWalk {
  /** For a move: each file is on disk before the source goes, and keeps its owner where the agent's user may set it. */
  readonly moving: boolean;
  readonly progress: CopyProgress;
}

/** What has been copied so far. */
export interface CopyProgress {
  /** Bytes of content. */
  bytes: bigint;
  /** Files, links and directories that were begun. */
  entries: bigint;
}

/** A name in a directory that is held. */
export interface Slot {
  readonly directory: Pin;
  readonly name: string | Buffer;
}

/** Of the count of blocks that a file takes on disk. */
const BLOCK_BYTES = 512n;

/** What a hole reads as. */
const ZEROS = Buffer.alloc(FILE_CHUNK_BYTES);

const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/**
 * Copies what is held to a new name, with modes, times and links as they are.
 * Setuid and setgid are left out of files; hard links become files of their
 * own, extended attributes are not kept; of a sparse file large holes stay holes. Sockets, FIFOs and
 * devices are refused.
 */
export async function copyPinned(walk: CopyWalk, spot: Spot, from: Slot, pin: Pin, to: Slot): Promise<void> {
  goOn(walk, spot);
  walk.progress.entries += 1n;
  await attempt(walk.verb, spot.path, async () => {
    const { stats } = pin;
    await refuseOwn(walk.boundary, pin, spot.path, "read");
    if (stats.isFile()) await copyFile(walk, spot, pin, to);
    else if (stats.isDirectory()) await copyDirectory(walk, spot, pin, to);
    else if (stats.isSymbolicLink()) await copyLink(walk, spot, from, pin, to);
    else {
      throw new CmdopError(
        "NotAFile",
        `${shown(spot.path)} is a device, FIFO or socket, which can't be copied.`,
        {
          next: "Delete it or leave it out, or copy with a command.",
        },
      );
    }
  });
}

async function copyFile(walk: CopyWalk, spot: Spot, pin: Pin, to: Slot): Promise<void> {
  await using source = await openRegular(pin, spot.path);
  await using copy = await open(childOf(to.directory, to.name), CREATE, 0o600);
  const { uid, gid, mode, atimeNs, mtimeNs } = await copyUnchanged(walk, spot, source, copy);
  if (walk.moving && isRoot()) await copy.chown(Number(uid), Number(gid));
  await copy.chmod(Number(mode) & PERMISSION_BITS);
  await copy.utimes(seconds(atimeNs), seconds(mtimeNs));
  if (walk.moving) await copy.sync();
}

/** Copies the content, again where somebody writes to it meanwhile; what the file was then. */
export async function copyUnchanged(
  walk: CopyWalk,
  spot: Spot,
  source: FileHandle,
  copy: FileHandle,
): Promise<BigIntStats> {
  for (let round = 1; ; round++) {
    const before = walk.progress.bytes;
    const stats = await source.stat({ bigint: true });
    try {
      await copyContent(walk, spot, source, stats, copy);
      await refuseWrittenTo(source, stats, spot.path);
      // What was added to a file is no loss to its copy; but a move deletes it.
      if (walk.moving && (await source.stat({ bigint: true })).size !== stats.size) throw grew(spot.path);
      return stats;
    } catch (thrown) {
      const changed = thrown instanceof CmdopError && thrown.code === "FileChanged";
      if (!changed || round === MAX_READ_ATTEMPTS) throw thrown;
      walk.progress.bytes = before;
      await copy.truncate(0);
    }
  }
}

async function copyContent(
  walk: CopyWalk,
  spot: Spot,
  source: FileHandle,
  stats: BigIntStats,
  copy: FileHandle,
): Promise<void> {
  const sparse = stats.blocks * BLOCK_BYTES < stats.size;
  let position = 0;
  for await (const piece of readRange(source, stats, { offset: 0n }, spot.path)) {
    goOn(walk, spot);
    if (!sparse || !ZEROS.subarray(0, piece.length).equals(piece)) await writeAll(copy, piece, position);
    position += piece.length;
    walk.progress.bytes += BigInt(piece.length);
  }
  if (sparse) await copy.truncate(position);
}

function grew(path: string): CmdopError {
  return new CmdopError("FileChanged", `${shown(path)} was added to while it was being moved.`, {
    next: "Move it when nobody writes to it, or copy it.",
  });
}

async function copyDirectory(walk: CopyWalk, spot: Spot, pin: Pin, to: Slot): Promise<void> {
  const at = childOf(to.directory, to.name);
  await mkdir(at, 0o700);
  using copy = await walk.boundary.pinning.pin(at);
  const fill = async (): Promise<void> => {
    for await (const raw of rawNames(pin)) {
      const found = await unless(["ENOENT"], walk.boundary.pinning.pin(childOf(pin, raw)));
      if (found === undefined) continue;
      using child = found;
      const next = below(spot, raw);
      await copyPinned(walk, next, { directory: pin, name: raw }, child, { directory: copy, name: raw });
    }
  };
  await (walk.moving ? changeDurably(copy, spot.path, fill) : fill());
  const { uid, gid, mode, atimeNs, mtimeNs } = pin.stats;
  const inside = `${copy.at}/.`;
  if (walk.moving && isRoot()) await lchown(inside, Number(uid), Number(gid));
  await chmod(inside, Number(mode) & 0o7777);
  await utimes(inside, seconds(atimeNs), seconds(mtimeNs));
}

async function copyLink(walk: CopyWalk, spot: Spot, from: Slot, pin: Pin, to: Slot): Promise<void> {
  const at = childOf(to.directory, to.name);
  // What a link says can only be asked by its name, which may be something else's by now.
  const name = childOf(from.directory, from.name);
  const target = await unless(["EINVAL", "ENOENT"], readlink(name, { encoding: "buffer" }));
  if (target === undefined) {
    throw new CmdopError("FileChanged", `${shown(spot.path)} was replaced while it was being copied.`, {
      next: "Copy it again.",
    });
  }
  refuseLeadingOut(walk.boundary, pathText(target), spot.path, spot.depth);
  await symlink(target, at);
  if (walk.moving && isRoot()) await lchown(at, Number(pin.stats.uid), Number(pin.stats.gid));
  await lutimes(at, seconds(pin.stats.atimeNs), seconds(pin.stats.mtimeNs));
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
