import { unless } from "@cmdop/kit";
import { systemPath } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { MAX_UNFINISHED_AGE_MS } from "../place/limits.ts";
import { childOf } from "../place/pin.ts";
import { TEMPORARY_NAME } from "../unfinished/temporary.ts";
import type { Unfinished } from "../unfinished/unfinished.ts";
import type { Begun } from "../unfinished/unfinished-log.ts";
import { removePinned } from "./remove.ts";

/** Told what could not be removed, in a few words, and why. */
type OnTrouble = (what: string, error: unknown) => void;

/** Removes the uploads that nobody has resumed in time. */
export function sweepUploads(
  unfinished: Unfinished,
  boundary: Boundary,
  onTrouble: OnTrouble,
): Promise<void> {
  return cleanUp(unfinished, boundary, unfinished.uploads, onTrouble);
}

/** Removes what earlier processes left under these temporary names. What could not be removed is tried again at the next start. */
export async function cleanUp(
  unfinished: Unfinished,
  boundary: Boundary,
  left: readonly string[],
  onTrouble: OnTrouble,
): Promise<void> {
  for (const name of left) {
    try {
      const begun = unfinished.begun(name);
      if (begun !== undefined && (await isCleaned(unfinished, boundary, name, begun)))
        unfinished.forget(name);
    } catch (thrown) {
      onTrouble("a file that was left unfinished", thrown);
    }
  }
}

/** Whether it can be forgotten: it is gone, or its directory has been away for too long. */
async function isCleaned(
  unfinished: Unfinished,
  boundary: Boundary,
  name: string,
  begun: Begun,
): Promise<boolean> {
  if (!TEMPORARY_NAME.test(name)) return true;
  if (begun.upload && unfinished.isAwaited(name, begun)) return false;
  const { directory, atMs, over } = begun;
  const ageMs = Date.now() - atMs;
  if (ageMs < MAX_UNFINISHED_AGE_MS && (over !== undefined || unfinished.isNeeded(name))) return false;
  const found = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(systemPath(directory)));
  // It may lie on a disk that is not there now.
  if (found === undefined) return ageMs > MAX_UNFINISHED_AGE_MS;
  using parent = found;
  const left = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(childOf(parent, name)));
  if (left === undefined) return true;
  using pin = left;
  const signal = new AbortController().signal;
  await removePinned(
    { boundary, verb: "clean up", signal },
    { path: directory, depth: 0 },
    parent,
    name,
    pin,
    true,
  );
  return true;
}
