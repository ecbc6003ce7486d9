import { posix } from "node:path";
import { CmdopError, MAX_PATH_BYTES } from "@cmdop/proto";
import { MAX_PATH_PARTS } from "./limits.ts";

/** Characters of a path that an error message shows: a status has to fit into a header block. */
const MAX_SHOWN_CHARACTERS = 512;

/**
 * A caller's path as an absolute one without `~`, `.`, `..`, doubled or trailing
 * slashes. `..` is taken from the text, not from the disk, so that the gate and
 * the files core mean the same path. Throws InvalidArgument.
 */
export function expandPath(path: string, home: string): string {
  if (path === "") throw new CmdopError("InvalidArgument", "The path is empty.");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new CmdopError(
      "InvalidArgument",
      `The path has ${Buffer.byteLength(path)} bytes; ${MAX_PATH_BYTES} is the limit.`,
    );
  }
  if (path.includes("\0")) {
    throw new CmdopError(
      "InvalidArgument",
      `The path ${shown(path)} contains a NUL byte, which no name can.`,
    );
  }
  const expanded = path === "~" || path.startsWith("~/") ? home + path.slice(1) : path;
  if (!expanded.startsWith("/")) {
    throw new CmdopError("InvalidArgument", `The path ${shown(path)} is not absolute.`, {
      next: "Begin it with / or with ~/ (only the own home directory can be written as ~).",
    });
  }
  const normalized = withoutTrailingSlash(posix.normalize(expanded));
  const parts = normalized.split("/").length - 1;
  if (parts > MAX_PATH_PARTS) {
    throw new CmdopError("InvalidArgument", `The path has ${parts} parts; ${MAX_PATH_PARTS} is the limit.`);
  }
  return normalized;
}

/** Whether a path is a directory or lies below it. Both must be normalised. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** A path, its parent, and so on up to `/`. */
export function selfAndAncestors(path: string): string[] {
  const chain = [path];
  for (let current = path; current !== "/"; ) {
    current = posix.dirname(current);
    chain.push(current);
  }
  return chain;
}

/** A path as an error message shows it: quoted, on one line, of bounded length. */
export function shown(path: string): string {
  const half = MAX_SHOWN_CHARACTERS / 2;
  const short = path.length > MAX_SHOWN_CHARACTERS ? `${path.slice(0, half)}…${path.slice(-half)}` : path;
  return JSON.stringify(short);
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
