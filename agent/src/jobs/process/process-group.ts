import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { CmdopError } from "@cmdop/proto";
import type { JobLimits } from "../limits.ts";
import { JOB_ID_VARIABLE } from "./environment.ts";

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
      look: () => living("pgrp", pid),
      first: "SIGTERM",
      signal: (signal) => signalGroup(pid, signal),
      limits,
    }));
  return (await endCarriers(jobId, limits)) && groupGone;
}

/**
 * Ends a terminal's processes: all of its leader's session (where its pid is
 * known), then what has left that. SIGHUP first, as when a terminal is closed:
 * an interactive shell ignores SIGTERM. True when nothing that can be seen is left.
 */
export async function endSession(
  leader: number | undefined,
  jobId: string,
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
  return (await endCarriers(jobId, limits)) && sessionGone;
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
  try {
    const { tpgid } = parseStat(readFileSync(`/proc/${leader}/stat`, "latin1"));
    return tpgid > 1 ? tpgid : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** Ends whatever still carries a job's id. */
function endCarriers(jobId: string, limits: EndingLimits): Promise<boolean> {
  return end({ look: () => carriers(jobId), first: "SIGTERM", signal: sendAll, limits });
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
async function living(kind: "pgrp" | "session", id: number): Promise<number[]> {
  if (process.platform !== "linux") return signalGroup(id, 0) ? [id] : [];
  // A session may have lost its leader's group and live on in others.
  if (kind === "pgrp" && !signalGroup(id, 0)) return [];
  return processesWhere(async (pid) => {
    const stat = parseStat(await readProc(pid, "stat"));
    return stat[kind] === id && stat.state !== "Z" && stat.state !== "X";
  });
}

/** What /proc/PID/stat tells: pid (name) state ppid pgrp session tty tpgid … */
function parseStat(stat: string): { state: string; pgrp: number; session: number; tpgid: number } {
  // The name may contain anything, so count from its end.
  const [state = "", , pgrp, session, , tpgid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state, pgrp: Number(pgrp), session: Number(session), tpgid: Number(tpgid) };
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
  // Parents before children, as a rule: a shell that sees its child die first would end with a code of its own.
  return found.sort((one, other) => one - other);
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

/** On systems without /proc, where only the leader is known, to its group. */
function sendAll(signal: NodeJS.Signals, found: number[]): void {
  for (const pid of found) send(process.platform === "linux" ? pid : -pid, signal);
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
