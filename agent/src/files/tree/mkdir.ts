import { chmod, mkdir } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { describe, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { checkedMode } from "../place/mode.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { openPlace, openTarget } from "../place/resolve.ts";

/** How a directory is made. */
export interface MkdirOptions {
  /** Make missing parents, and accept a directory that exists (as it is). */
  readonly parents: boolean;
  /** Permission bits; absent means 0o755 less the umask. */
  readonly mode?: number | undefined;
}

/** Permission bits of a new directory, less the umask. */
const DIRECTORY_MODE = 0o755;

/** Makes a directory. */
export function makeDirectory(boundary: Boundary, path: string, options: MkdirOptions): Promise<Entry> {
  return attempt("make the directory", path, async () => {
    const asked = expandPath(path, boundary.home);
    const mode = checkedMode(options.mode);
    using place = await openPlace(boundary, asked, { parents: options.parents });
    const at = childOf(place.directory, place.name);
    const made = await unless(
      ["EEXIST"],
      mkdir(at, mode ?? DIRECTORY_MODE).then(() => true),
    );
    if (made === undefined) {
      if (!options.parents || !(await isDirectory(boundary, asked))) {
        throw new CmdopError("AlreadyExists", `${shown(asked)} exists already.`);
      }
    } else if (mode !== undefined) {
      // mkdir itself takes the umask off.
      using directory = await boundary.pinning.pin(at);
      if (directory.stats.isDirectory()) await chmod(`${directory.at}/.`, mode);
    }
    return await describe(place.directory, place.name, asked);
  });
}

async function isDirectory(boundary: Boundary, path: string): Promise<boolean> {
  using target = await openTarget(boundary, path);
  return target.pin.stats.isDirectory();
}
