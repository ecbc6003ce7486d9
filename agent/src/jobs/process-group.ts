import { readdir, readFile } from "node:fs/promises";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { CmdopError } from "@cmdop/proto";
import { JOB_ID_VARIABLE } from "./environment.ts";
import type { JobLimits } from "./limits.ts";

/** Between two looks at processes that were asked to end: soon at first, then doubling up to the longest. */
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 200;

/** Files of /proc that are read at once: descriptors are for jobs. */
const PROC_READERS = 16;

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
  return send(-pid, signal);
}

/**
 * Ends what a job started: its process group (where its pid is known), then whatever has left the group
 * but still carries the job's id in its environment. SIGTERM first, SIGKILL
 * after the grace. True when nothing that can be seen is left.
 */
export async function endProcesses(
  pid: number | undefined,
  jobId: string,
  limits: EndingLimits,
): Promise<boolean> {
  const groupGone =
    pid === undefined ||
    (await end({
      look: () => livingMembers(pid),
      signal: (signal) => signalGroup(pid, signal),
      limits,
    }));
  const strayGone = await end({
    look: () => carriers(jobId),
    signal: (signal, found) => {
      for (const stray of found) send(stray, signal);
    },
    limits,
  });
  return groupGone && strayGone;
}

async function end({
  look,
  signal,
  limits,
}: {
  look: () => Promise<number[]>;
  signal: (signal: NodeJS.Signals, found: number[]) => void;
  limits: EndingLimits;
}): Promise<boolean> {
  const stages = [
    { name: "SIGTERM", waitMs: limits.killGraceMs, again: false },
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

/** The processes of a group, zombies left out: nobody may be there to reap them. */
async function livingMembers(group: number): Promise<number[]> {
  if (!signalGroup(group, 0)) return [];
  if (process.platform !== "linux") return [group];
  return processesWhere(async (pid) => {
    // pid (name) state ppid pgrp …; the name may contain anything, so count from its end.
    const stat = await readProc(pid, "stat");
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(pgrp) === group && state !== "Z" && state !== "X";
  });
}

/** The processes whose environment names the job. Linux only: elsewhere the group is all that is known. */
async function carriers(jobId: string): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const mark = `${JOB_ID_VARIABLE}=${jobId}`;
  return processesWhere(async (pid) => (await readProc(pid, "environ")).split("\0").includes(mark));
}

async function processesWhere(test: (pid: number) => Promise<boolean>): Promise<number[]> {
  const names = await readdir("/proc");
  const pids = names.map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found: number[] = [];
  const look = async (): Promise<void> => {
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      if (await test(pid)) found.push(pid);
    }
  };
  await Promise.all(Array.from({ length: PROC_READERS }, look));
  return found;
}

/** Empty where the process has ended meanwhile, or belongs to somebody else. */
async function readProc(pid: number, file: "stat" | "environ"): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return "";
    throw error;
  }
}

function send(target: number, signal: NodeJS.Signals | 0): boolean {
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
