import { realpath, rmdir, unlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, pathText } from "@cmdop/proto";
import { type Boundary, holds, ownIn } from "../place/boundary.ts";
import { attempt } from "../place/errors.ts";
import { MAX_EMPTYING_ROUNDS } from "../place/limits.ts";
import { refuseNoDirectory } from "../place/named-directory.ts";
import { rawNames } from "../place/names.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openPlace, type Place } from "../place/resolve.ts";
import { below, goOn, type Spot, type TreeWalk } from "./tree-walk.ts";

/** How something is deleted. */
export interface RemoveOptions {
  /** Needed for a directory that is not empty. */
  readonly recursive: boolean;
}

/**
 * Deletes a file, a link itself, or a directory. Never follows a link, and leaves
 * alone what is mounted below. When it fails or is canceled in
 * the middle, what was deleted by then is gone.
 */
export function remove(
  boundary: Boundary,
  path: string,
  options: RemoveOptions,
  signal: AbortSignal,
): Promise<void> {
  return attempt("delete", path, async () => {
    const asked = expandPath(path, boundary.home);
    using place = await openPlace(boundary, asked);
    using pin = await boundary.pinning.pin(childOf(place.directory, place.name));
    refuseNoDirectory(path, pin.stats, "deleted");
    await refuseVital(boundary, place, pin, "delete");
    const walk = { boundary, verb: "delete", signal };
    await removePinned(walk, { path: asked, depth: 0 }, place.directory, place.name, pin, options.recursive);
  });
}

/** Refuses what nobody means when they say it: `/`, the home directory, what is the agent's own, what the caller is bound to, and whatever holds them. */
export async function refuseVital(
  boundary: Boundary,
  { path }: Pick<Place, "path">,
  pin: Pin,
  verb: string,
): Promise<void> {
  const what = await vitalName(boundary, path, pin);
  if (what === undefined) return;
  throw new CmdopError("PolicyDenied", `Can't ${verb} ${shown(path)}: it is ${what}.`, {
    next: `Name what you want to ${verb} below it.`,
  });
}

async function vitalName(boundary: Boundary, path: string, pin: Pin): Promise<string | undefined> {
  if (path === "/") return "the root of the filesystem";
  const home = await unless(["ENOENT"], realpath(boundary.home, { encoding: "buffer" }));
  if (home !== undefined && (await holds(pin, pathText(home)))) return "the home directory, or holds it";
  for (const root of boundary.roots.flat()) {
    if (await holds(pin, root)) return "a directory that this caller is bound to, or holds it";
  }
  const own = pin.stats.isDirectory() ? await ownIn(boundary, pin, path) : undefined;
  return own === undefined ? undefined : `${own}, or holds it`;
}

/** Deletes what is held, and its name. */
export async function removePinned(
  walk: TreeWalk,
  spot: Spot,
  directory: Pin,
  name: string | Buffer,
  pin: Pin,
  recursive: boolean,
): Promise<void> {
  goOn(walk, spot);
  const at = childOf(directory, name);
  if (!pin.stats.isDirectory()) return attempt(walk.verb, spot.path, () => unlink(at));
  await attempt(walk.verb, spot.path, async () => {
    for (let round = 1; ; round++) {
      // Always first: it also refuses a mount point (EBUSY) before anything below it is touched.
      const again = recursive && round <= MAX_EMPTYING_ROUNDS;
      if (
        (await unless(
          again ? ["ENOTEMPTY", "EEXIST"] : [],
          rmdir(at).then(() => true),
        )) === true
      )
        return;
      await removeContent(walk, spot, pin);
    }
  });
}

async function removeContent(walk: TreeWalk, spot: Spot, directory: Pin): Promise<void> {
  for await (const raw of rawNames(directory)) {
    const next = below(spot, raw);
    goOn(walk, next);
    const at = childOf(directory, raw);
    // Most are no directories; for one unlink says EISDIR, or EPERM outside of Linux.
    const unlinked = unless(
      ["EISDIR", "EPERM"],
      unlink(at).then(() => true),
    );
    if ((await attempt(walk.verb, next.path, () => unless(["ENOENT"], unlinked))) === true) continue;
    const found = await unless(["ENOENT"], walk.boundary.pinning.pin(at));
    if (found === undefined) continue;
    using pin = found;
    await removePinned(walk, next, directory, raw, pin, true);
  }
}
