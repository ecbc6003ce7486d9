import { unless } from "@cmdop/kit";
import type { Boundary } from "../place/boundary.ts";
import { describe, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { refuseNoDirectory } from "../place/named-directory.ts";
import { expandPath } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { openPlace } from "../place/resolve.ts";
import { publish, refuseOccupied } from "../write/publish.ts";
import { copyAndPublish, refuseInside } from "./copy.ts";
import type { CopyProgress } from "./copy-tree.ts";
import { refuseLinksOut } from "./links-out.ts";
import { refuseVital } from "./remove.ts";
import { removeMoved } from "./remove-moved.ts";

/** How something is moved. */
export interface MoveOptions {
  /** Replace a file that exists. */
  readonly overwrite: boolean;
}

/**
 * Renames a file, a link (as a link) or a directory. To another filesystem it
 * is copied, and deleted at the source only when the copy is whole and on disk.
 */
export function move(
  boundary: Boundary,
  source: string,
  destination: string,
  options: MoveOptions,
  signal: AbortSignal,
  progress: CopyProgress = { bytes: 0n, entries: 0n },
): Promise<Entry> {
  return attempt("move", source, async () => {
    const from = expandPath(source, boundary.home);
    const to = expandPath(destination, boundary.home);
    using origin = await openPlace(boundary, from);
    using pin = await boundary.pinning.pin(childOf(origin.directory, origin.name));
    refuseNoDirectory(source, pin.stats, "moved");
    await refuseVital(boundary, origin, pin, "move");
    return await attempt("make", to, async () => {
      using place = await openPlace(boundary, to);
      if (!pin.stats.isDirectory()) refuseNoDirectory(destination, place.leaf, "moved");
      refuseOccupied(pin, place, options.overwrite);
      await refuseInside(pin, place);
      const walk = { boundary, verb: "move", signal };
      await refuseLinksOut(walk, { path: origin.path, depth: 0 }, origin, pin);
      const source = { directory: origin.directory, name: origin.name, pin };
      const renamed = publish(source, place, options.overwrite).then(() => true);
      if ((await unless(["EXDEV"], renamed)) === undefined) {
        await copyAndPublish({ ...walk, moving: true, progress }, origin, pin, place, options.overwrite);
        await removeMoved(walk, { path: origin.path, depth: 0 }, origin, pin, place);
      }
      return await describe(place.directory, place.name, to);
    });
  });
}
