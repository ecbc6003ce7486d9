import { CmdopError, type ErrorCode, visible } from "@cmdop/proto";
import type { TreeEntry } from "./types.ts";

/**
 * Most entries of a tree that is transferred in one call. Its list is held in memory, about 200 bytes each.
 */
const MAX_TREE_ENTRIES = 500_000;

/** Permission bits that a directory needs while files are written into it. */
export const OWNER_BITS = 0o700;

/** Errors that concern one file, so that the other files can go on. */
const OF_ONE: readonly ErrorCode[] = [
  "NotFound",
  "AlreadyExists",
  "AccessDenied",
  "IsADirectory",
  "NotADirectory",
  "NotAFile",
  "FileChanged",
];

/** Returns true if a failure concerns one file alone. */
export function isOfOne(thrown: unknown): thrown is CmdopError {
  return thrown instanceof CmdopError && OF_ONE.includes(thrown.code);
}

/** Adds an entry to the list of a tree. @throws CmdopError LimitExceeded */
export function addEntry(entries: TreeEntry[], entry: TreeEntry): void {
  if (entries.push(entry) <= MAX_TREE_ENTRIES) return;
  throw new CmdopError("LimitExceeded", `The tree has more than ${MAX_TREE_ENTRIES} entries.`, {
    next: "Transfer the directories in it one by one.",
  });
}

/**
 * Refuses a tree that would lead outside of its target. Every entry needs a valid name, and must lie in a
 * directory that was listed before it, so nothing is ever written through a link. The sender of the list is
 * not trusted.
 */
export function refuseStrayEntries(entries: readonly TreeEntry[]): void {
  const types = new Map<string, TreeEntry["type"]>([["", "directory"]]);
  for (const { path, type } of entries) {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const isName = name !== "" && name !== "." && name !== ".." && !name.includes("\0");
    const isPlain = process.platform !== "win32" || !/[\\:]/.test(name);
    const parent = types.get(slash === -1 ? "" : path.slice(0, slash));
    const isBelow = slash !== 0;
    if (!isName || !isPlain || !isBelow || parent !== "directory" || types.has(path)) {
      throw new CmdopError("InvalidArgument", `The tree names ${visible(path)}, which can't be in it.`, {
        next: "The machine's list is wrong or was tampered with; nothing was written.",
      });
    }
    types.set(path, type);
  }
}
