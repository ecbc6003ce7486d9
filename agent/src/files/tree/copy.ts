import { lstat } from "node:fs/promises";
import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError, systemPath } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { describe, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { isHeldBy } from "../place/landmark.ts";
import { expandSource, refuseNoDirectory } from "../place/named-directory.ts";
import { expandPath, selfAndAncestors, shown } from "../place/path.ts";
import { childOf, type Pin, sameObject } from "../place/pin.ts";
import { openPlace, type Place } from "../place/resolve.ts";
import { temporaryName } from "../unfinished/temporary.ts";
import { publish, refuseOccupied } from "../write/publish.ts";
import { copyOnto, isOntoFile } from "./copy-onto.ts";
import type { CopyProgress, CopyWalk } from "./copy-tree.ts";
import { copyPinned } from "./copy-tree.ts";
import { removePinned } from "./remove.ts";

/** How something is copied. */
export interface CopyOptions {
  /** Needed for a directory. */
  readonly recursive: boolean;
  /** Replace a file that exists. */
  readonly overwrite: boolean;
}

/**
 * Copies a file, a link (as a link) or a directory. The copy is made under a
 * temporary name beside its destination and appears whole or not at all. A file
 * that is copied onto another gives it its content, and no more.
 */
export function copy(
  boundary: Boundary,
  source: string,
  destination: string,
  options: CopyOptions,
  signal: AbortSignal,
  progress: CopyProgress = { bytes: 0n, entries: 0n },
): Promise<Entry> {
  return attempt("copy", source, async () => {
    const from = await expandSource(boundary, source);
    const to = expandPath(destination, boundary.home);
    using origin = await openPlace(boundary, from, { access: "read" });
    using pin = await boundary.pinning.pin(childOf(origin.directory, origin.name));
    if (pin.stats.isDirectory() && !options.recursive) {
      throw new CmdopError("IsADirectory", `${shown(from)} is a directory.`, {
        next: "Say recursive to copy it with its content.",
      });
    }
    await refuseHolder(boundary, pin, origin);
    return await attempt("make", to, async () => {
      using place = await openPlace(boundary, to);
      if (!pin.stats.isDirectory()) refuseNoDirectory(destination, place.leaf, "copied");
      refuseOccupied(pin, place, options.overwrite);
      await refuseInside(pin, place);
      const walk = { boundary, verb: "copy", signal, moving: false, progress };
      if (isOntoFile(pin, place)) return await copyOnto(walk, { path: from, depth: 0 }, pin, place);
      await copyAndPublish(walk, origin, pin, place, options.overwrite);
      return await describe(place.directory, place.name, to);
    });
  });
}

/** Refuses a directory with the agent's state in it, before anything is copied. */
async function refuseHolder({ state, pinning }: Boundary, pin: Pin, { path }: Place): Promise<void> {
  if (!pin.stats.isDirectory() || !isHeldBy(state, await pinning.locationOf(pin), path)) return;
  throw new CmdopError("PolicyDenied", `${shown(path)} holds the agent's own state, which is not copied.`, {
    next: "Copy what lies beside the state directory piece by piece.",
  });
}

/** Copies what is held under a temporary name, then gives it its own. Leaves nothing when it fails. */
export async function copyAndPublish(
  walk: CopyWalk,
  origin: Place,
  pin: Pin,
  place: Place,
  overwrite: boolean,
): Promise<void> {
  const { directory } = place;
  const name = temporaryName();
  await using cleanup = new AsyncDisposableStack();
  const note = await walk.boundary.unfinished?.note(posix.dirname(place.path), name);
  if (note !== undefined) cleanup.use(note);
  cleanup.defer(() => removeLeftover(walk, directory, name));
  await copyPinned(walk, { path: origin.path, depth: 0 }, origin, pin, { directory, name });
  using made = await walk.boundary.pinning.pin(childOf(directory, name));
  await publish({ directory, name, pin: made }, place, overwrite);
}

/** Refuses to put a directory into itself. */
export async function refuseInside(source: Pin, place: Place): Promise<void> {
  if (!source.stats.isDirectory()) return;
  const around = selfAndAncestors(place.path).slice(1);
  const found = await Promise.all(around.map((each) => lstat(systemPath(each), { bigint: true })));
  if (!found.some((directory) => sameObject(directory, source.stats))) return;
  throw new CmdopError("InvalidArgument", `${shown(place.path)} lies inside of the source itself.`, {
    next: "Choose a destination outside of the source.",
  });
}

async function removeLeftover(walk: CopyWalk, directory: Pin, name: string): Promise<void> {
  const found = await unless(["ENOENT"], walk.boundary.pinning.pin(childOf(directory, name)));
  if (found === undefined) return;
  using pin = found;
  // Cleaning up goes on although the caller left.
  const patient = { ...walk, verb: "clean up", signal: new AbortController().signal };
  await removePinned(patient, { path: name, depth: 0 }, directory, name, pin, true);
}
