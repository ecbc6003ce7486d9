import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Boundary } from "./boundary.ts";
import { expandPath, shown } from "./path.ts";
import { openTarget, type Target } from "./resolve.ts";

/** Whether a path says by its end that it names a directory: `x/`, `x/.`, `x/..`. Its expansion no longer tells. */
export function namesDirectory(path: string): boolean {
  return /\/\.{0,2}$/.test(path);
}

/** Refuses a path that names a directory where there is none (a link is none), as the kernel does. `undone`: "written". */
export function refuseNoDirectory(
  path: string,
  leaf: { isDirectory(): boolean } | undefined,
  undone: string,
): void {
  if (namesDirectory(path) && leaf?.isDirectory() !== true) throw noDirectory(path, undone);
}

/** Refuses to write a file under a name that says it is a directory, before anything is made. A directory that is there is refused by whoever opens it. */
export async function refuseDirectoryName(boundary: Boundary, path: string): Promise<void> {
  if (!namesDirectory(path)) return;
  using target = await targetOf(boundary, path, "write");
  refuseNoDirectory(path, target?.pin.stats, "written");
}

/** An expanded path; where it names a directory by its end, that directory's own, through a link. */
export async function expandSource(boundary: Boundary, path: string): Promise<string> {
  if (!namesDirectory(path)) return expandPath(path, boundary.home);
  using target = await targetOf(boundary, path, "read");
  if (target?.pin.stats.isDirectory() !== true) throw noDirectory(path, "copied");
  return target.path;
}

function targetOf(boundary: Boundary, path: string, access: "read" | "write"): Promise<Target | undefined> {
  return unless(["ENOENT", "ENOTDIR"], openTarget(boundary, expandPath(path, boundary.home), access));
}

function noDirectory(path: string, undone: string): CmdopError {
  return new CmdopError("NotADirectory", `${shown(path)} is no directory; nothing was ${undone}.`, {
    next: "A slash at the end names a directory: leave it out to name a file, or make the directory first.",
  });
}
