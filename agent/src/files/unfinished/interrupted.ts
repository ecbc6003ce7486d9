import { type BigIntStats, constants } from "node:fs";
import { open } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, systemPath } from "@cmdop/proto";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { inTurnOf } from "../place/turns.ts";
import { isBetween, pour } from "./pour.ts";
import type { Begun } from "./unfinished-log.ts";

const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const WRITE = constants.O_RDWR | constants.O_NONBLOCK;

/** Permission bits of those who are not the owner. */
const OTHERS = 0o77n;

/**
 * Goes on with a write in place that a crash broke off: both contents lie beside
 * each other, and the file gets the new one. Whether that is over; false where
 * the disk is away. Throws where somebody has changed the file since, which then
 * stays as it is.
 */
export async function finishInterrupted(
  boundary: Boundary,
  name: string,
  { directory, over }: Begun,
): Promise<boolean> {
  if (over === undefined) return true;
  const parent = await found(boundary, systemPath(directory));
  if (parent === undefined) return false;
  using held = parent;
  using next = await found(boundary, childOf(held, name));
  using before = await found(boundary, childOf(held, over.before));
  // Both are there from before the first byte is written until after the last.
  if (next === undefined || before === undefined) return true;
  using target = await found(boundary, systemPath(over.path));
  // What has taken the file's name since was never written over.
  if (target === undefined || !target.stats.isFile() || String(target.stats.ino) !== over.inode) return true;
  if (!isOurs(next.stats) || !isOurs(before.stats)) throw changed(over.path, held, name, over.before);
  await refuseOwn(boundary, target, over.path, "write");
  await inTurnOf(target.stats, async () => {
    await using file = await open(target.at, WRITE);
    await using old = await open(before.at, READ);
    await using content = await open(next.at, READ);
    if (!(await isBetween(file, old, content))) throw changed(over.path, held, name, over.before);
    await pour(content, file);
  });
  return true;
}

function found({ pinning }: Boundary, path: string | Buffer): Promise<Pin | undefined> {
  return unless(["ENOENT", "ENOTDIR"], pinning.pin(path));
}

/** Whether nobody else can have put it there or written to it. */
function isOurs(stats: BigIntStats): boolean {
  const isUsers = stats.uid === BigInt(process.geteuid?.() ?? stats.uid);
  return stats.isFile() && stats.nlink === 1n && isUsers && (stats.mode & OTHERS) === 0n;
}

function changed(path: string, directory: Pin, next: string, before: string): CmdopError {
  return new CmdopError(
    "FileChanged",
    `${shown(path)} was being written in place when the agent ended, and has been changed since: it is left as it is. What it had before is in ${before}, what it was to get in ${next}.`,
    { cause: directory.at },
  );
}
