import { type BigIntStats, existsSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { CmdopError } from "@cmdop/proto";
import { unless } from "./errors.ts";
import { isWithin, selfAndAncestors, shown } from "./path.ts";
import { type Pin, type Pinning, sameObject } from "./pin.ts";
import type { Unfinished } from "./unfinished.ts";

/** What the operations of one call may touch. */
export interface Boundary {
  /** What `~` stands for. */
  readonly home: string;
  /** The agent's own state: refused to everybody. */
  readonly stateDir: string;
  /** Each list must have a directory that contains the path; no lists: anywhere. */
  readonly roots: readonly (readonly string[])[];
  readonly pinning: Pinning;
  /** Whose call it is, for shares of what there is little of. */
  readonly key?: string | undefined;
  /** The agent, where its files are worked on by a process of its own. */
  readonly agentPid?: number | undefined;
  /** Where it is written down what is being made; nowhere where it is absent. */
  readonly unfinished?: Unfinished | undefined;
}

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

/** Refuses a path that is, or lies in, the agent's state or its process. Paths as `locate` gives them; the facts count, not the names alone. */
export async function refuseOwnState(boundary: Boundary, path: string): Promise<void> {
  const [state, chain] = await Promise.all([stateOf(boundary), identities(path)]);
  const { stats } = state;
  const same = stats !== undefined && chain.some((directory) => sameObject(directory, stats));
  if (same || isWithin(path, state.path) || isWithin(path, boundary.stateDir)) throw ownState(path);
  refuseOwnProcess(boundary, path);
}

/** The same for a directory that was come to from one that had been checked. `path` need not be exact. */
export async function refuseOwnDirectory(boundary: Boundary, directory: Pin, path: string): Promise<void> {
  const { stats } = await stateOf(boundary);
  if (stats !== undefined && sameObject(stats, directory.stats)) throw ownState(path);
  refuseOwnProcess(boundary, path);
}

/** Whether the agent's state lies in this directory (or is it). */
export async function holdsState(boundary: Boundary, directory: Pin): Promise<boolean> {
  const { stats, path } = await stateOf(boundary);
  return stats !== undefined && holds(directory, path);
}

/** Whether a path, free of links, leads through this directory (or to it). */
export async function holds(directory: Pin, path: string): Promise<boolean> {
  return (await identities(path)).some((ancestor) => sameObject(ancestor, directory.stats));
}

/** The refusal of the agent's own state. */
export function ownState(path: string): CmdopError {
  return new CmdopError("PolicyDenied", `${shown(path)} belongs to the agent's own state.`, {
    next: "Nobody reaches that through files; its operator changes it with cmdop or on the machine itself.",
  });
}

/** /proc shows the agent's environment and memory, keys included, also under the numbers of its threads. */
function refuseOwnProcess({ agentPid }: Boundary, path: string): void {
  const number = /^\/proc\/(\d+)(?:\/|$)/.exec(path)?.[1];
  const ours = ["self", ...(agentPid === undefined ? [] : [agentPid])];
  if (number === undefined || !ours.some((pid) => existsSync(`/proc/${pid}/task/${number}`))) return;
  throw new CmdopError("PolicyDenied", `${shown(path)} shows the inside of the agent's own process.`, {
    next: "Use a command for what /proc says of other processes.",
  });
}

/** Where the state directory really lies, and what it is; without facts where there is none yet. */
async function stateOf(boundary: Boundary): Promise<{ path: string; stats?: BigIntStats }> {
  // EACCES: files are worked on as another user, to whom the system refuses the directory anyway.
  const pin = await unless(["ENOENT", "ENOTDIR", "EACCES"], boundary.pinning.pin(boundary.stateDir, true));
  if (pin === undefined) return { path: boundary.stateDir };
  using held = pin;
  return { path: await boundary.pinning.locate(held), stats: held.stats };
}

/** What a path and the directories above it are; those that are missing can't be anything. */
async function identities(path: string): Promise<BigIntStats[]> {
  const found = await Promise.all(
    selfAndAncestors(path).map((each) => unless(["ENOENT", "ENOTDIR"], lstat(each, { bigint: true }))),
  );
  return found.filter((stats) => stats !== undefined);
}
