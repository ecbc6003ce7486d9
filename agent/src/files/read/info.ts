import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { describe, type Entry, entryOf } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { expandPath } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { openPlace } from "../place/resolve.ts";
import { hashContent } from "./content-hash.ts";

/** What is to be said beside the usual. */
export interface InfoOptions {
  /** Also the hash of a regular file's content. */
  readonly hash: boolean;
  readonly signal?: AbortSignal;
}

/** Describes one path without following a link at its end. */
export function info(
  boundary: Boundary,
  path: string,
  { hash, signal }: InfoOptions = { hash: false },
): Promise<Entry> {
  return attempt("describe", path, async () => {
    const asked = expandPath(path, boundary.home);
    using place = await openPlace(boundary, asked, { access: "read" });
    const entry = await describe(place.directory, place.name, asked);
    if (asked === "/") return { ...entry, name: "/" };
    if (!hash || entry.type !== "file") return entry;
    using pin = await boundary.pinning.pin(childOf(place.directory, place.name));
    await refuseOwn(boundary, pin, place.path, "read");
    // What is hashed and what is described are one.
    return { ...entryOf(pin.stats, entry.name, asked), sha256: await hashContent(pin, asked, signal) };
  });
}
