import { createHash, timingSafeEqual } from "node:crypto";
import { CmdopError, visible } from "@cmdop/proto";
import type { Content } from "./types.ts";

/** Length of an upload's name, in bytes. */
export const UPLOAD_BYTES = 8;

/**
 * Returns the upload's name: the same for the same content and destination, in another process too.
 * @throws CmdopError InvalidArgument for a stream
 */
export function resumeName(content: Content, destination: string): Uint8Array {
  if (content.identity === undefined) {
    throw new CmdopError("InvalidArgument", `${visible(content.path)} can't be resumed: it is a stream.`, {
      next: "Give a path, or leave resume out.",
    });
  }
  const said = JSON.stringify([content.path, content.identity, destination]);
  return createHash("sha256").update(said).digest().subarray(0, UPLOAD_BYTES);
}

/**
 * Returns true if a path's form names a directory: its last part is empty, `.` or `..`. As in a shell, no
 * file is made under such a name.
 */
export function namesDirectory(path: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(path);
}

/**
 * Returns the name that a source is copied under; empty for a path without one (`.`, `..`, `~`, `/`), whose
 * contents are copied.
 */
export function sourceName(path: string): string {
  const name = /([^/]*)\/*$/.exec(path)?.[1] ?? "";
  return name === "." || name === ".." || path.replace(/\/+$/, "") === "~" ? "" : name;
}

/** Returns true if the hashes are equal. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
