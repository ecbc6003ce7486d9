import type { BigIntStats } from "node:fs";
import { lstat, rmdir, unlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { attempt } from "../place/errors.ts";
import { rawNames } from "../place/names.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin, sameObject } from "../place/pin.ts";
import type { Slot } from "./copy-tree.ts";
import { below, goOn, type Spot, type TreeWalk } from "./tree-walk.ts";

/** How far times may be apart that were copied: Node sets them as floating-point seconds. */
const TIME_TOLERANCE_NS = 1_000n;

/**
 * Deletes the source of a move that had to copy: just what the copy has. What
 * somebody has changed, replaced or added since it was copied stays, and ends
 * the move with FileChanged: it is nowhere else.
 */
export async function removeMoved(
  walk: TreeWalk,
  spot: Spot,
  from: Slot,
  pin: Pin,
  copy: Slot,
): Promise<void> {
  goOn(walk, spot);
  const at = childOf(from.directory, from.name);
  await attempt(walk.verb, spot.path, async () => {
    const found = await unless(["ENOENT"], walk.boundary.pinning.pin(childOf(copy.directory, copy.name)));
    if (found === undefined) throw changed(spot.path);
    using copied = found;
    if (!pin.stats.isDirectory()) {
      const now = await unless(["ENOENT"], lstat(at, { bigint: true }));
      if (now === undefined) return;
      if (!sameObject(now, pin.stats) || !isCopied(now, copied.stats)) throw changed(spot.path);
      await unless(["ENOENT"], unlink(at));
      return;
    }
    if (!copied.stats.isDirectory()) throw changed(spot.path);
    for await (const raw of rawNames(pin)) {
      const next = await unless(["ENOENT"], walk.boundary.pinning.pin(childOf(pin, raw)));
      if (next === undefined) continue;
      using child = next;
      const slot = { directory: pin, name: raw };
      await removeMoved(walk, below(spot, raw), slot, child, { directory: copied, name: raw });
    }
    const emptied = await unless(
      ["ENOTEMPTY", "EEXIST"],
      rmdir(at).then(() => true),
    );
    if (emptied !== true) throw changed(spot.path);
  });
}

function isCopied(now: BigIntStats, copy: BigIntStats): boolean {
  const apartNs = now.mtimeNs - copy.mtimeNs;
  const isSameTime = apartNs <= TIME_TOLERANCE_NS && -apartNs <= TIME_TOLERANCE_NS;
  // A file of /proc does not say its size; nobody moves one.
  return (now.mode & FORMAT) === (copy.mode & FORMAT) && now.size === copy.size && isSameTime;
}

/** Of a mode: what kind of thing it is. */
const FORMAT = 0o170000n;

function changed(path: string): CmdopError {
  return new CmdopError(
    "FileChanged",
    `${shown(path)} was changed while it was being moved to another filesystem: it stays where it is, as does what was still to be deleted. The copy is whole, and has what was there before.`,
    { next: "Compare the two, then delete one or move it again with overwrite." },
  );
}
