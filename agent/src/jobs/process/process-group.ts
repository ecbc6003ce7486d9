import { constants } from "node:os";
import { atLeastHalf, Backoff, isErrno, type Pauses } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { JobLimits } from "../limits.ts";
import { Family } from "./family.ts";
import type { JobTrace } from "./job-trace.ts";
import { processesOfJobs, statOf } from "./process-table.ts";

/** Between two looks at processes that were asked to end: most end soon. */
const LOOK_PAUSES: Pauses = { firstPauseMs: 5, maxPauseMs: 200 };

/**
 * What is left of a job after its end: nothing for certain, nothing that can be seen, or
 * some processes. Only a cgroup makes certain: without one, a process that left its
 * session while nobody looked, with an environment of its own, is known by nothing.
 */
export type Remains = "nothing" | "nothing seen" | "processes";

/** Said where no cgroup tells that nothing is left. */
export const MAY_STILL_RUN =
  "What has left its session, with an environment of its own, is not seen and may still run.";

/** What is left of a job, in words. */
export function sayRemains(remains: Remains, { killWaitMs }: Pick<EndingLimits, "killWaitMs">): string {
  switch (remains) {
    case "nothing":
      return "What was left of it has been ended.";
    case "nothing seen":
      return `What was found of it has been ended. ${MAY_STILL_RUN}`;
    case "processes":
      return `But some of its processes are still there ${killWaitMs} ms after SIGKILL: they hang in the kernel, or run as another user.`;
  }
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
 * Ends what a job started: what can be followed from its first process on, then what
 * carries the job's mark in its environment. SIGTERM first, SIGKILL after the grace.
 */
export function endProcesses(trace: JobTrace, limits: EndingLimits): Promise<Remains> {
  return endAll(trace, "SIGTERM", limits);
}

/**
 * Ends a terminal's processes. SIGHUP first, as when a terminal is closed: an
 * interactive shell ignores SIGTERM.
 */
export function endSession(trace: JobTrace, limits: EndingLimits): Promise<Remains> {
  return endAll(trace, "SIGHUP", limits);
}

async function endAll(trace: JobTrace, first: "SIGTERM" | "SIGHUP", limits: EndingLimits): Promise<Remains> {
  const familyGone = await endFamily(trace, first, limits);
  const markedGone = await endMarked((mark) => mark === trace.mark, trace.sinceS, limits);
  if (!familyGone || !markedGone) return "processes";
  return trace.cgroup === undefined || trace.cgroup.hasAgent ? "nothing seen" : "nothing";
}

async function endFamily(
  trace: JobTrace,
  first: "SIGTERM" | "SIGHUP",
  limits: EndingLimits,
): Promise<boolean> {
  const { leader, cgroup } = trace;
  if (process.platform !== "linux") {
    if (leader === undefined) return true;
    const look = async (): Promise<number[]> => (signalGroup(leader, 0) ? [leader] : []);
    return end({ look, first, signal: (signal) => signalGroup(leader, signal), limits });
  }
  const family = new Family(trace);
  return end({
    look: () => family.look(),
    first,
    signal: (signal, found) => {
      if (signal === "SIGKILL") cgroup?.kill();
      if (leader === undefined || first === "SIGHUP") return sendAll(signal, found);
      // The group at once: what forks meanwhile is not missed.
      if (found.includes(leader) || signal === "SIGKILL") signalGroup(leader, signal);
      sendAll(
        signal,
        found.filter((pid) => statOf(pid)?.group !== leader),
      );
    },
    limits,
  });
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

/** Ends whatever carries such a mark; true when nothing that can be seen is left. Linux only: elsewhere only groups are known. */
export async function endMarked(
  isMeant: (mark: string) => boolean,
  sinceS: number,
  limits: EndingLimits,
): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const look = async (): Promise<number[]> =>
    [...(await processesOfJobs(sinceS))].flatMap(([mark, pids]) => (isMeant(mark) ? pids : []));
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
    const asked = new Set<number>();
    const pauses = new Backoff(LOOK_PAUSES, atLeastHalf);
    for (let first = true; found.length > 0 && (first || performance.now() < until); first = false) {
      const unasked = again ? found : found.filter((pid) => !asked.has(pid));
      for (const pid of unasked) asked.add(pid);
      if (unasked.length > 0) signal(name, unasked);
      // A stopped process gets its SIGTERM only when it goes on.
      if (unasked.length > 0 && (first || !again)) signal("SIGCONT", unasked);
      await pauses.wait();
      found = await look();
    }
  }
  return found.length === 0;
}

function sendAll(signal: NodeJS.Signals, found: number[]): void {
  for (const pid of found) sendSignal(pid, signal);
}

/** False where there is nobody of this pid, or (negative) of this group. */
export function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    // It is there, but belongs to another user (sudo): it can be waited for, no more.
    if (isErrno(error, "EPERM")) return true;
    throw error;
  }
}

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name);
}
