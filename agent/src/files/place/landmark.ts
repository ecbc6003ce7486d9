import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { pathBytes, pathText, systemPath } from "@cmdop/proto";
import { isWithin } from "./path.ts";
import { type Location, type Pinning, systemPinning } from "./pin.ts";

/**
 * A file or directory that callers are kept from, known by where it lies in its
 * filesystem: bind mounts, links and other processes' roots are only more names
 * of the same place. Plain data: who does the work need not be able to look.
 */
export interface Landmark {
  /** As it was named: absolute, normalised. */
  readonly path: string;
  /** Free of links. */
  readonly real: string;
  readonly device: string;
  /** As in `Location`. */
  readonly inside: string;
}

/** Looks up where something lies, or would lie if it existed. `named`: absolute and normalised, as the system has it. */
export async function landmark(named: string, pinning: Pinning = systemPinning): Promise<Landmark> {
  const path = pathText(named);
  const absent: string[] = [];
  for (let existing = path; ; existing = posix.dirname(existing)) {
    const found = await unless(["ENOENT", "ENOTDIR"], pinning.pin(systemPath(existing), { follow: true }));
    if (found === undefined) {
      absent.unshift(posix.basename(existing));
      continue;
    }
    using pin = found;
    const [real, { device, inside }] = await Promise.all([pinning.locate(pin), pinning.locationOf(pin)]);
    const rest = absent.map((name) => pathBytes(name).toString("latin1"));
    return { path, real: posix.join(real, ...absent), device, inside: posix.join(inside, ...rest) };
  }
}

/** Whether something lies at a landmark or below it. */
export function isPartOf({ device, inside, layers }: Location, landmark: Landmark): boolean {
  if (device === landmark.device && isWithin(inside, landmark.inside)) return true;
  return layers.some((layer) => isNamed(pathText(Buffer.from(layer, "latin1")), landmark));
}

/** Whether a landmark lies in a directory, or is it: by what is mounted now, or by what the directory is. `path`: where the directory lies. */
export function isHeldBy(landmark: Landmark, { device, inside }: Location, path: string): boolean {
  return isWithin(landmark.real, path) || (device === landmark.device && isWithin(landmark.inside, inside));
}

/** Whether a path says by itself that it leads to a landmark, or below it. */
export function isNamed(path: string, landmark: Landmark): boolean {
  return isWithin(path, landmark.path) || isWithin(path, landmark.real);
}
