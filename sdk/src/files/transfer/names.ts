import { createHash, timingSafeEqual } from "node:crypto";
import { CmdopError, visible } from "@cmdop/proto";
import type { Content } from "./types.ts";

/** Bytes of the name under which what has arrived is kept. */
export const UPLOAD_BYTES = 8;

/** The same name for the same content and place, also in another process. Throws InvalidArgument for a stream. */
export function resumeName(content: Content, destination: string): Uint8Array {
  if (content.identity === undefined) {
    throw new CmdopError("InvalidArgument", `${visible(content.path)} can't be resumed: it is a stream.`, {
      next: "Give a path, or leave resume out.",
    });
  }
  const said = JSON.stringify([content.path, content.identity, destination]);
  return createHash("sha256").update(said).digest().subarray(0, UPLOAD_BYTES);
}

/** Whether a path says itself that it is a directory: as a shell takes it, a file is never made there. */
export function namesDirectory(path: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(path);
}

/** The name that something is copied under; empty for what has none (`.`, `..`, `~`, `/`): then what lies in it is copied. */
export function sourceName(path: string): string {
  const name = /([^/]*)\/*$/.exec(path)?.[1] ?? "";
  return name === "." || name === ".." || path.replace(/\/+$/, "") === "~" ? "" : name;
}

/** Whether two hashes are one. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
