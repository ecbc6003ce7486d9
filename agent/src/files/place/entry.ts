import type { BigIntStats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, pathText } from "@cmdop/proto";
import { childOf, type Pin } from "./pin.ts";

/** What kind of thing a path names. */
export type EntryType = "file" | "directory" | "symlink" | "other";

/** Something that was passed over, and why. */
export interface Skipped {
  readonly path: string;
  readonly reason: "unreadable" | "binary" | "too_large" | "long_line";
  /** Why, in words. */
  readonly message: string;
}

/** How a file was written, where that was not as usual. */
export interface Written {
  /** False: in place. Who read it meanwhile may have seen some of the old and some of the new. */
  readonly atomic: boolean;
  /** Whether its other names (hard links) keep the old content. */
  readonly linkSplit: boolean;
  /** The same in words, and why. */
  readonly message: string;
}

/** One file, directory or link, as callers see it: names are text as `pathText` gives it. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly type: EntryType;
  /** Bytes. */
  readonly size: bigint;
  readonly mtimeMs: number;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a link points. */
  readonly linkTarget?: string;
  /** SHA-256 of the content, where it is known. */
  readonly sha256?: Uint8Array;
  /** Of a file that was written otherwise than by replacing it at once: how, and why. */
  readonly written?: Written;
  /** Of a directory in a walk: why what lies in it is missing. */
  readonly unread?: Skipped;
}

/** All bits that chmod sets. */
const MODE_BITS = 0o7777n;

/** Describing a link takes two looks; somebody may replace it in between, but hardly as often as this. */
const MAX_LOOKS = 3;

/** The entry of something whose facts are known. */
export function entryOf(stats: BigIntStats, name: string, path: string): Entry {
  return {
    name,
    path,
    type: typeOf(stats),
    size: stats.size,
    mtimeMs: Number(stats.mtimeNs) / 1e6,
    mode: Number(stats.mode & MODE_BITS),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  };
}

/** Describes a name in a directory without following a link. Throws what lstat throws. */
export async function describe(directory: Pin, raw: string | Buffer, path: string): Promise<Entry> {
  const at = childOf(directory, raw);
  const name = typeof raw === "string" ? raw : pathText(raw);
  for (let look = 1; ; look++) {
    const entry = entryOf(await lstat(at, { bigint: true }), name, path);
    if (entry.type !== "symlink") return entry;
    // EINVAL: no link any more.
    const target = await unless(look < MAX_LOOKS ? ["EINVAL"] : [], readlink(at, { encoding: "buffer" }));
    if (target !== undefined) return { ...entry, linkTarget: pathText(target) };
  }
}

/** The same of one of many: undefined where it is gone by now; a mount that does not answer is told of as what can't be looked into. */
export async function describeOne(
  directory: Pin,
  raw: string | Buffer,
  path: string,
): Promise<Entry | undefined> {
  try {
    return await unless(["ENOENT"], describe(directory, raw, path));
  } catch (thrown) {
    if (!(thrown instanceof CmdopError) || thrown.code !== "MountStalled") throw thrown;
    const name = typeof raw === "string" ? raw : pathText(raw);
    const nothing = { size: 0n, mtimeMs: 0, mode: 0, uid: 0, gid: 0 };
    const unread = { path, reason: "unreadable", message: thrown.message } as const;
    return { name, path, type: "directory", ...nothing, unread };
  }
}

function typeOf(stats: BigIntStats): EntryType {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "symlink" : "other";
}
