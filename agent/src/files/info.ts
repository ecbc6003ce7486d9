import type { Boundary } from "./boundary.ts";
import { describe, type Entry } from "./entry.ts";
import { attempt } from "./errors.ts";
import { expandPath } from "./path.ts";
import { openPlace } from "./resolve.ts";

/** Describes one path without following a link at its end. */
export function info(boundary: Boundary, path: string): Promise<Entry> {
  return attempt("describe", path, async () => {
    const asked = expandPath(path, boundary.home);
    using place = await openPlace(boundary, asked);
    const entry = await describe(place.directory, place.name, asked);
    return asked === "/" ? { ...entry, name: "/" } : entry;
  });
}
