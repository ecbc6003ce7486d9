import { constants } from "node:fs";
import { link, lstat, mkdir, open, rename, rmdir, unlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { shown } from "../place/path.ts";
import { childOf, type Pin, sameObject } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";

/** What is to get another name: what it is, and its name so far. */
export interface Source {
  readonly directory: Pin;
  readonly name: string;
  /** The object itself, held. */
  readonly pin: Pin;
}

/** Why a filesystem refuses a hard link that says nothing about a rename: it has none, or they are protected. */
const NO_HARD_LINK = ["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK", "EACCES"];

/**
 * Gives something the name of a place on the same filesystem. With `overwrite`
 * a file there is replaced, at once; without it nothing is ever replaced, not
 * even what appears there in the meantime. Throws what rename throws, EXDEV
 * among it, with nothing changed.
 */
export async function publish(source: Source, place: Place, overwrite: boolean): Promise<void> {
  refuseOccupied(source.pin, place, overwrite);
  const from = childOf(source.directory, source.name);
  const to = childOf(place.directory, place.name);
  if (overwrite && !source.pin.stats.isDirectory()) return rename(from, to);
  if (source.pin.stats.isDirectory()) return renameDirectory(from, to, place);
  return renameFile(source, from, to, place);
}

/** Refuses a place that is taken, as far as is known before anything is done. */
export function refuseOccupied(source: Pin, { leaf, path }: Place, overwrite: boolean): void {
  if (leaf === undefined) return;
  if (sameObject(leaf, source.stats)) {
    throw new CmdopError("InvalidArgument", `${shown(path)} is the same file as the source.`, {
      next: "Choose another destination.",
    });
  }
  if (!overwrite) throw occupied(path);
  if (!leaf.isDirectory() && !source.stats.isDirectory()) return;
  throw new CmdopError("AlreadyExists", `${shown(path)} exists already; only a file can replace a file.`, {
    next: "Choose another destination, or delete this one first.",
  });
}

/** A directory can only be renamed onto an empty one: our own, made for that, holds the name. */
async function renameDirectory(from: string | Buffer, to: string | Buffer, { path }: Place): Promise<void> {
  if (
    (await unless(
      ["EEXIST"],
      mkdir(to, 0o700).then(() => true),
    )) === undefined
  )
    throw occupied(path);
  try {
    await rename(from, to);
  } catch (thrown) {
    await unless(["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"], rmdir(to));
    throw thrown;
  }
}

/** A second name first, which fails where the name is taken; then the first name goes. */
async function renameFile(
  source: Source,
  from: string | Buffer,
  to: string | Buffer,
  place: Place,
): Promise<void> {
  // Only Linux gives a second name to a link rather than to what it points at.
  const linkable = source.pin.stats.isFile() || process.platform === "linux";
  const linked = linkable ? await linkExclusively(from, to, place.path) : false;
  if (!linked) return renameOntoPlaceholder(from, to, place.path);
  const still = await unless(["ENOENT"], lstat(from, { bigint: true }));
  // Whoever put something else under the old name in the meantime keeps it.
  if (still !== undefined && sameObject(still, source.pin.stats)) await unless(["ENOENT"], unlink(from));
}

async function linkExclusively(from: string | Buffer, to: string | Buffer, path: string): Promise<boolean> {
  const done = await unless(
    NO_HARD_LINK,
    unless(
      ["EEXIST"],
      link(from, to).then(() => "linked" as const),
    ).then((linked) => linked ?? "occupied"),
  );
  if (done === "occupied") throw occupied(path);
  return done === "linked";
}

/** Without hard links: an empty file holds the name. Only who writes into that very file in between loses it. */
async function renameOntoPlaceholder(
  from: string | Buffer,
  to: string | Buffer,
  path: string,
): Promise<void> {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  const placeholder = await unless(["EEXIST"], open(to, flags, 0o600));
  if (placeholder === undefined) throw occupied(path);
  await placeholder.close();
  try {
    await rename(from, to);
  } catch (thrown) {
    await unless(["ENOENT"], unlink(to));
    throw thrown;
  }
}

function occupied(path: string): CmdopError {
  return new CmdopError("AlreadyExists", `${shown(path)} exists already.`, {
    next: "Choose another destination, or say overwrite to replace a file.",
  });
}
