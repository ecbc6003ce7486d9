import { lstat, readlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, pathText } from "@cmdop/proto";
import { type Boundary, isConfined, refuseOutside, refuseOwnName } from "../place/boundary.ts";
import { rawNames } from "../place/names.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import type { Slot } from "./copy-tree.ts";
import { below, goOn, type Spot, type TreeWalk } from "./tree-walk.ts";

/**
 * Refuses a link that a confined caller would plant where it leads, or could
 * come to lead, out of the caller's directories: others follow links. A link
 * may lead to what is named in full and lies inside, or stay in what is made or
 * moved together with it: so it leads inside wherever that is moved later.
 * `depth`: how deep it lies in what is made or moved.
 */
export function refuseLeadingOut(boundary: Boundary, target: string, path: string, depth = 0): void {
  if (!isConfined(boundary)) return;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const firstName = parts.findIndex((part) => part !== "..");
  const upwards = firstName === -1 ? parts.length : firstName;
  // What `..` leads to behind a name depends on what that name is.
  if (parts.slice(upwards).includes("..")) throw leadsOut(path, target);
  if (!target.startsWith("/")) {
    if (upwards > Math.max(0, depth - 1)) throw leadsOut(path, target);
    return;
  }
  if (upwards > 0) throw leadsOut(path, target);
  const named = `/${parts.join("/")}`;
  try {
    refuseOutside(boundary, named);
    refuseOwnName(boundary, named, "read");
  } catch (cause) {
    throw leadsOut(path, target, cause);
  }
}

/** Refuses to move something for a confined caller with a link in it that would lead out. Looks at all of a tree. */
export async function refuseLinksOut(walk: TreeWalk, spot: Spot, from: Slot, pin: Pin): Promise<void> {
  if (!isConfined(walk.boundary)) return;
  goOn(walk, spot);
  if (pin.stats.isSymbolicLink()) {
    const name = childOf(from.directory, from.name);
    const target = await unless(["EINVAL", "ENOENT"], readlink(name, { encoding: "buffer" }));
    if (target !== undefined) refuseLeadingOut(walk.boundary, pathText(target), spot.path, spot.depth);
  }
  if (!pin.stats.isDirectory()) return;
  for await (const raw of rawNames(pin)) {
    const at = childOf(pin, raw);
    const stats = await unless(["ENOENT"], lstat(at));
    // Most are neither, and need not be held.
    if (stats?.isSymbolicLink() !== true && stats?.isDirectory() !== true) continue;
    const found = await unless(["ENOENT"], walk.boundary.pinning.pin(at));
    if (found === undefined) continue;
    using child = found;
    await refuseLinksOut(walk, below(spot, raw), { directory: pin, name: raw }, child);
  }
}

function leadsOut(path: string, target: string, cause?: unknown): CmdopError {
  return new CmdopError(
    "PolicyDenied",
    `${shown(path)} is a link to ${shown(target)}, which leads, or could come to lead, out of the directories that this caller is bound to.`,
    {
      cause,
      next: "Let it lead to what lies beside it or below it, without .., or name what it leads to in full.",
    },
  );
}
