import { chmod, mkdir, utimes } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, utimesArgument } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { describe, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { type Attributes, checkedMode, checkedTime } from "../place/mode.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openPlace, openTarget } from "../place/resolve.ts";

/** How a directory is made. */
export interface MkdirOptions extends Attributes {
  /** Make missing parents, and accept a directory that exists: as it is, unless `modeUse` is `always`. */
  readonly parents: boolean;
}

/** Permission bits of a new directory, less the umask. */
const DIRECTORY_MODE = 0o755;

/** Setuid, setgid and sticky. */
const SPECIAL_BITS = 0o7000;

/** Makes a directory. */
export function makeDirectory(boundary: Boundary, path: string, options: MkdirOptions): Promise<Entry> {
  return attempt("make the directory", path, async () => {
    const asked = expandPath(path, boundary.home);
    const mode = checkedMode(options);
    const mtimeMs = checkedTime(options);
    using place = await openPlace(boundary, asked, { parents: options.parents });
    const at = childOf(place.directory, place.name);
    const made = await unless(
      ["EEXIST"],
      mkdir(at, mode ?? DIRECTORY_MODE).then(() => true),
    );
    if (made === undefined) {
      using target = options.parents ? await openTarget(boundary, asked) : undefined;
      if (target?.pin.stats.isDirectory() !== true) {
        throw new CmdopError("AlreadyExists", `${shown(asked)} exists already.`);
      }
      if (options.modeUse === "always") await give(target.pin, mode, mtimeMs);
    } else if (mode !== undefined || mtimeMs !== undefined) {
      // mkdir itself takes the umask off.
      using directory = await boundary.pinning.pin(at);
      if (directory.stats.isDirectory()) await give(directory, mode, mtimeMs);
    }
    return await describe(place.directory, place.name, asked);
  });
}

/** Gives a directory its mode and its time; it keeps setgid and the like, with which its group is handed down. */
async function give(directory: Pin, mode: number | undefined, mtimeMs: number | undefined): Promise<void> {
  const at = `${directory.at}/.`;
  const special = Number(directory.stats.mode) & SPECIAL_BITS;
  if (mode !== undefined) await chmod(at, special | mode);
  if (mtimeMs !== undefined) await utimes(at, new Date(), utimesArgument(mtimeMs));
}
