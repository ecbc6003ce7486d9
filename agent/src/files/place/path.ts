import { posix } from "node:path";
import { CmdopError, canonicalPath, MAX_PATH_BYTES, pathBytes, pathText, printable } from "@cmdop/proto";
import { MAX_PATH_PARTS } from "./limits.ts";

/** Of a path in which every byte is escaped. */
const MAX_ESCAPED_PATH_BYTES = 4 * MAX_PATH_BYTES;

/** Characters of a path that an error message shows: a status has to fit into a header block. */
const MAX_SHOWN_CHARACTERS = 512;

/**
 * A caller's path as an absolute one, its bytes written in the one way of
 * `canonicalPath`, without `~`, `.`, `..`, doubled or trailing
 * slashes. `..` is taken from the text, not from the disk, so that the gate and
 * the files core mean the same path. Throws InvalidArgument.
 */
export function expandPath(path: string, home: string): string {
  if (path === "") throw new CmdopError("InvalidArgument", "The path is empty.");
  // An escape stands for one byte, so what is far too long need not be taken apart.
  const bytes =
    Buffer.byteLength(path) > MAX_ESCAPED_PATH_BYTES ? Buffer.byteLength(path) : pathBytes(path).length;
  if (bytes > MAX_PATH_BYTES) {
    throw new CmdopError("InvalidArgument", `The path has ${bytes} bytes; ${MAX_PATH_BYTES} is the limit.`);
  }
  if (path.includes("\0")) {
    throw new CmdopError(
      "InvalidArgument",
      `The path ${shown(path)} contains a NUL byte, which no name can.`,
    );
  }
  const canonical = canonicalPath(path);
  const expanded =
    canonical === "~" || canonical.startsWith("~/") ? pathText(home) + canonical.slice(1) : canonical;
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

/** A path as an error message shows it: quoted, on one line, of bounded length; what stands between the quotes can be pasted back. */
export function shown(path: string): string {
  const half = MAX_SHOWN_CHARACTERS / 2;
  const short = path.length > MAX_SHOWN_CHARACTERS ? `${path.slice(0, half)}…${path.slice(-half)}` : path;
  return `"${printable(short).replaceAll('"', '\\"')}"`;
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
