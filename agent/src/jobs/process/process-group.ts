import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { CmdopError } from "@cmdop/proto";
import type { JobLimits } from "../limits.ts";
import { processes, processesOfJobs, statOf } from "./process-table.ts";

/** Between two looks at processes that were asked to end: soon at first, then doubling up to the longest. */
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 200;

/** By what a job's processes are known that have left its group or session. */
export interface JobMark {
  readonly jobId: string;
  /** When the job began, in seconds after the system's start (see `sinceBootS`): older processes are not looked at. */
  readonly sinceS: number;
}

/** How a job's processes are ended. */
export type EndingLimits = Pick<JobLimits, "killGraceMs" | "killWaitMs">;

/** A signal's name that this system knows; throws InvalidArgument for anything else. */
export function checkSignal(name: string): NodeJS.Signals {
  if (isSignal(name)) return name;
  throw new CmdopError(
    "InvalidArgument",
    `${JSON.stringify(name.slice(0, 20))} is no signal of this machine.`,
    {
      next: 'Use a name like "SIGINT", "SIGTERM" or "SIGHUP".',
    },
  );
}

/** Sends a signal to a whole process group; false where nothing of it is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  return sendSignal(-pid, signal);
}

/**
 * Ends what a job started: its process group (where its pid is known), then whatever has left the group
 * but still carries the job's id in its environment. SIGTERM first, SIGKILL
 * after the grace. True when nothing that can be seen is left.
 */
export async function endProcesses(
  pid: number | undefined,
  mark: JobMark,
  limits: EndingLimits,
): Promise<boolean> {
  const groupGone =
    pid === undefined ||
    (await end({
      look: () => living("group", pid),
      first: "SIGTERM",
      signal: (signal) => signalGroup(pid, signal),
      limits,
    }));
  return (await endCarriers(mark, limits)) && groupGone;
}

/**
 * Ends a terminal's processes: all of its leader's session (where its pid is
 * known), then what has left that. SIGHUP first, as when a terminal is closed:
 * an interactive shell ignores SIGTERM. True when nothing that can be seen is left.
 */
export async function endSession(
  leader: number | undefined,
  mark: JobMark,
  limits: EndingLimits,
): Promise<boolean> {
  const sessionGone =
    leader === undefined ||
    (await end({
      look: () => living("session", leader),
      first: "SIGHUP",
      signal: sendAll,
      limits,
    }));
  return (await endCarriers(mark, limits)) && sessionGone;
}

/** Sends a signal to the process group in the foreground of a session's terminal; false where nothing is left. */
export function signalForeground(leader: number, signal: NodeJS.Signals): boolean {
  const foreground = foregroundGroup(leader);
  // It may have ended just now, with the shell about to take its place.
  return (foreground !== undefined && signalGroup(foreground, signal)) || signalGroup(leader, signal);
}

/** Undefined where the system does not tell: no terminal yet, or no /proc. */
function foregroundGroup(leader: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const foreground = statOf(leader)?.foreground ?? 0;
  return foreground > 1 ? foreground : undefined;
}

/** Ends whatever still carries a job's id; true when nothing that can be seen is left. */
export function endCarriers({ jobId, sinceS }: JobMark, limits: EndingLimits): Promise<boolean> {
  return endMarked((id) => id === jobId, sinceS, limits);
}

/** Ends whatever carries the id of such a job; true when nothing that can be seen is left. Linux only: elsewhere only groups are known. */
export async function endMarked(
  isMeant: (jobId: string) => boolean,
  sinceS: number,
  limits: EndingLimits,
): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const look = async (): Promise<number[]> =>
    [...(await processesOfJobs(sinceS))].flatMap(([jobId, pids]) => (isMeant(jobId) ? pids : []));
  return end({ look, first: "SIGTERM", signal: sendAll, limits });
}

async function end({
  look,
  first: politely,
  signal,
  limits,
}: {
  look: () => Promise<number[]>;
  first: "SIGTERM" | "SIGHUP";
  signal: (signal: NodeJS.Signals, found: number[]) => void;
  limits: EndingLimits;
}): Promise<boolean> {
  const stages = [
    { name: politely, waitMs: limits.killGraceMs, again: false },
    // Again and again, since what is killed may have forked meanwhile.
    { name: "SIGKILL", waitMs: limits.killWaitMs, again: true },
  ] as const;
  let found = await look();
  for (const { name, waitMs, again } of stages) {
    const until = performance.now() + waitMs;
    let pollMs = FIRST_POLL_MS;
    for (let first = true; found.length > 0 && (first || performance.now() < until); first = false) {
      if (first || again) signal(name, found);
      // A stopped process gets its SIGTERM only when it goes on.
      if (first) signal("SIGCONT", found);
      await sleep(pollMs);
      pollMs = Math.min(2 * pollMs, LONGEST_POLL_MS);
      found = await look();
    }
  }
  return found.length === 0;
}

/** The processes of a group or a session, zombies left out: nobody may be there to reap them. */
async function living(kind: "group" | "session", id: number): Promise<number[]> {
  if (process.platform !== "linux") return signalGroup(id, 0) ? [id] : [];
  // A session may have lost its leader's group and live on in others.
  if (kind === "group" && !signalGroup(id, 0)) return [];
  const members = (await processes()).filter((entry) => entry[kind] === id);
  return members.flatMap(({ pid, state }) => (state === "Z" || state === "X" ? [] : [pid]));
}

/** On systems without /proc, where only the leader is known, to its group. */
function sendAll(signal: NodeJS.Signals, found: number[]): void {
  for (const pid of found) sendSignal(process.platform === "linux" ? pid : -pid, signal);
}

/** False where there is nobody of this pid, or (negative) of this group. */
export function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    // It is there, but belongs to another user (sudo): it can be waited for, no more.
    if (hasCode(error, "EPERM")) return true;
    throw error;
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name);
}
