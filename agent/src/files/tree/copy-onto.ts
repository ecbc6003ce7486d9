import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { refuseOwn } from "../place/boundary.ts";
import { type Entry, entryOf } from "../place/entry.ts";
import { PERMISSION_BITS } from "../place/mode.ts";
import { childOf, type Pin } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";
import { inTurn } from "../place/turns.ts";
import { openRegular } from "../read/read.ts";
import { checkedCondition } from "../write/condition.ts";
import { putInPlace } from "../write/put.ts";
import { openSpool } from "../write/spool.ts";
import { type CopyWalk, copyUnchanged } from "./copy-tree.ts";
import type { Spot } from "./tree-walk.ts";

/** Returns true if a copy only gives new content to a file that exists. */
export function isOntoFile(source: Pin, { leaf }: Place): boolean {
  return source.stats.isFile() && leaf?.isFile() === true;
}

/**
 * Copies a file's content and time onto a file that exists. That one keeps its
 * owner, mode, ACL, attributes and other names, as it does with cp(1) and where
 * it is written. A move replaces it instead, as mv(1) does.
 */
export async function copyOnto(walk: CopyWalk, spot: Spot, source: Pin, place: Place): Promise<Entry> {
  const { boundary } = walk;
  const { directory, name, path, leaf } = place;
  walk.progress.entries += 1n;
  await refuseOwn(boundary, source, spot.path, "read");
  // A rename asks only the directory; a file that may not be written shall not be replaced either.
  await access(childOf(directory, name), constants.W_OK);
  const mode = leaf === undefined ? undefined : Number(leaf.mode) & PERMISSION_BITS;
  await using spool = await openSpool(boundary, place, { mode, offset: 0n });
  await using from = await openRegular(source, spot.path);
  const { mtimeNs } = await copyUnchanged(walk, spot, from, spool.file);
  const attributes = { mtimeMs: Number(mtimeNs) / 1e6 };
  const content = { spool, attributes, condition: checkedCondition(boundary, {}) };
  const { stats, written } = await inTurn(place, () => putInPlace(content, place));
  return { ...entryOf(stats, name, path), ...(written === undefined ? {} : { written }) };
}
