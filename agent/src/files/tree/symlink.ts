import { lstat, lutimes, rename, symlink, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError, MAX_PATH_BYTES, pathBytes, utimesArgument } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { describe, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { checkedTime } from "../place/mode.ts";
import { refuseNoDirectory } from "../place/named-directory.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { openPlace, type Place } from "../place/resolve.ts";
import { inTurn } from "../place/turns.ts";
import { temporaryName } from "../unfinished/temporary.ts";
import { changeDurably } from "../write/durable.ts";
import { refuseLeadingOut } from "./links-out.ts";

/**
 * Makes a symbolic link; with `overwrite` in place of another link. A caller
 * that is bound to directories makes none that leads out of them, since others
 * would be led there.
 */
export function makeSymlink(
  boundary: Boundary,
  path: string,
  target: string,
  { overwrite, ...times }: { readonly overwrite: boolean; readonly mtimeMs?: number | undefined },
): Promise<Entry> {
  return attempt("make the link", path, async () => {
    const asked = expandPath(path, boundary.home);
    const mtimeMs = checkedTime(times);
    const raw = pathBytes(target);
    if (target === "" || raw.includes(0) || raw.length >= MAX_PATH_BYTES) {
      throw new CmdopError(
        "InvalidArgument",
        `What a link says has 1 to ${MAX_PATH_BYTES - 1} bytes and no NUL.`,
      );
    }
    using place = await openPlace(boundary, asked);
    refuseNoDirectory(path, place.leaf, "made");
    refuseLeadingOut(boundary, target, place.path);
    if (boundary.roots.flat().includes(place.path)) throw inPlaceOfRoot(place.path);
    await inTurn(place, () =>
      changeDurably(place.directory, place.path, () =>
        overwrite && place.leaf?.isSymbolicLink() === true
          ? replaceLink(boundary, place, raw)
          : makeLink(place, raw),
      ),
    );
    if (mtimeMs !== undefined) {
      await lutimes(childOf(place.directory, place.name), new Date(), utimesArgument(mtimeMs));
    }
    return await describe(place.directory, place.name, place.path);
  });
}

async function makeLink({ directory, name, path }: Place, target: Buffer): Promise<void> {
  const made = await unless(
    ["EEXIST"],
    symlink(target, childOf(directory, name)).then(() => true),
  );
  if (made === undefined) throw occupied(path);
}

async function replaceLink(boundary: Boundary, place: Place, target: Buffer): Promise<void> {
  const { directory, name, path } = place;
  const temporary = temporaryName();
  using _ = await boundary.unfinished?.note(posix.dirname(path), temporary);
  const aside = childOf(directory, temporary);
  await symlink(target, aside);
  try {
    const now = await unless(["ENOENT"], lstat(childOf(directory, name)));
    if (now !== undefined && !now.isSymbolicLink()) throw occupied(path);
    await rename(aside, childOf(directory, name));
  } catch (thrown) {
    await unless(["ENOENT"], unlink(aside));
    throw thrown;
  }
}

function inPlaceOfRoot(path: string): CmdopError {
  return new CmdopError(
    "PolicyDenied",
    `${shown(path)} is what this caller is bound to, and no link can stand for it.`,
    { next: "Make the directory." },
  );
}

function occupied(path: string): CmdopError {
  return new CmdopError("AlreadyExists", `${shown(path)} exists already.`, {
    next: "Choose another name, or delete it first; only a link can be replaced by a link.",
  });
}
