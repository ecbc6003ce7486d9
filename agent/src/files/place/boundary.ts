import type { BigIntStats } from "node:fs";
import { lstat } from "node:fs/promises";
import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError, pathBytes, systemPath } from "@cmdop/proto";
import type { Unfinished } from "../unfinished/unfinished.ts";
import { isHeldBy, isNamed, isPartOf, type Landmark } from "./landmark.ts";
import { isWithin, selfAndAncestors, shown } from "./path.ts";
import { type Location, type Pin, type Pinning, sameObject } from "./pin.ts";
import { PROCFS, refuseInsides } from "./procfs.ts";
import { isSecondName } from "./second-names.ts";

/** What the operations of one call may touch. */
export interface Boundary {
  /** What `~` stands for, as the system has it. */
  readonly home: string;
  /** The agent's own state: refused to everybody. */
  readonly state: Landmark;
  /** The agent's own program and what starts it: changed by nobody. */
  readonly program: readonly Landmark[];
  /** Each list must have a directory that contains the path; no lists: anywhere. */
  readonly roots: readonly (readonly string[])[];
  readonly pinning: Pinning;
  /** Whose call it is, for shares of what there is little of. */
  readonly key?: string | undefined;
  /** Where it is written down what is being made; nowhere where it is absent. */
  readonly unfinished?: Unfinished | undefined;
}

/** What is to be done with something: also to change what lies in it, or only to look. */
export type Access = "read" | "write";

/** Whether a caller is bound to directories, which also means that no link is followed for it. */
export function isConfined(boundary: Boundary): boolean {
  return boundary.roots.length > 0;
}

/** Refuses a path outside of the caller's directories. `path` must be normalised and free of links. */
export function refuseOutside(boundary: Boundary, path: string): void {
  if (isConfined(boundary) && !boundary.pinning.canConfine) {
    throw new CmdopError("PolicyDenied", `Paths can't be confined safely on ${process.platform}.`, {
      next: "Use a key without paths, on a machine whose policy names no roots.",
    });
  }
  const refusing = boundary.roots.find((list) => !list.some((root) => isWithin(path, root)));
  if (refusing === undefined) return;
  const allowed = refusing.length === 0 ? "none" : refusing.map(shown).join(", ");
  throw new CmdopError(
    "PolicyDenied",
    `${shown(path)} is outside of the directories that this caller is bound to: ${allowed}.`,
  );
}

/** Refuses a path that says by itself that it leads into the agent's state, or would change its program. */
export function refuseOwnName({ state, program }: Boundary, path: string, access: Access): void {
  if (isNamed(path, state)) throw ownState(path);
  if (access === "write" && program.some((part) => isNamed(path, part))) throw ownProgram(path);
}

/**
 * Refuses what is held where it belongs to the agent's state or process, or
 * would change its program: by what it is, however it was come to. `path`: for
 * the message; need not be exact.
 */
export async function refuseOwn(boundary: Boundary, pin: Pin, path: string, access: Access): Promise<void> {
  const location = await boundary.pinning.locationOf(pin);
  refuseOwnLocation(boundary, location, path, access);
  const { stats } = pin;
  if (!stats.isFile() || stats.nlink === 1n) return;
  if (await isSecondName(stats, boundary.state)) throw ownState(path);
  if (access === "read") return;
  for (const part of boundary.program) if (await isSecondName(stats, part)) throw ownProgram(path);
}

/** The same for a name in a directory that is held, whether or not something has that name. */
export async function refuseOwnPlace(
  boundary: Boundary,
  directory: Pin,
  name: string,
  path: string,
  access: Access,
): Promise<void> {
  const location = await boundary.pinning.locationOf(directory);
  const raw = pathBytes(name).toString("latin1");
  const inside = posix.join(location.inside, raw);
  const layers = location.layers.map((layer) => posix.join(layer, raw));
  refuseOwnLocation(boundary, { ...location, inside, layers }, path, access);
}

function refuseOwnLocation(
  { state, program }: Boundary,
  location: Location,
  path: string,
  access: Access,
): void {
  if (location.type === PROCFS) refuseInsides(location.inside, path, access);
  if (isPartOf(location, state)) throw ownState(path);
  if (access === "write" && program.some((part) => isPartOf(location, part))) throw ownProgram(path);
}

/** What of the agent's own lies in this directory, or is it, in words; undefined where nothing does. `path`: where the directory lies. */
export async function ownIn(
  { state, program, pinning }: Boundary,
  directory: Pin,
  path: string,
): Promise<string | undefined> {
  const location = await pinning.locationOf(directory);
  if (isHeldBy(state, location, path)) return "the agent's own state";
  return program.some((part) => isHeldBy(part, location, path)) ? "the agent's own program" : undefined;
}

/** Whether a path, free of links, leads through this directory (or to it). */
export async function holds(directory: Pin, path: string): Promise<boolean> {
  return (await identities(path)).some((ancestor) => sameObject(ancestor, directory.stats));
}

/** The refusal of the agent's own state. */
function ownState(path: string): CmdopError {
  return new CmdopError("PolicyDenied", `${shown(path)} belongs to the agent's own state.`, {
    next: "Nobody reaches that through files; its operator changes it with cmdop or on the machine itself.",
  });
}

/** The refusal of a change to what the agent is made of. */
function ownProgram(path: string): CmdopError {
  return new CmdopError("PolicyDenied", `${shown(path)} belongs to the agent's own program, or starts it.`, {
    next: "Nobody changes that through files; install another version on the machine itself.",
  });
}

/** What a path and the directories above it are; those that are missing, or out of reach, can't be anything. */
async function identities(path: string): Promise<BigIntStats[]> {
  const found = await Promise.all(
    selfAndAncestors(path).map((each) =>
      unless(["ENOENT", "ENOTDIR", "EACCES"], lstat(systemPath(each), { bigint: true })),
    ),
  );
  return found.filter((stats) => stats !== undefined);
}
