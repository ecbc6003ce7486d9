import { readdirSync, readFileSync } from "node:fs";
import { uptime } from "node:os";
import { setImmediate } from "node:timers/promises";
import { pause, unlessSync } from "@cmdop/kit";
import { JOB_MARK_VARIABLE } from "./environment.ts";

/** Processes that are looked at in one turn of the loop: some 5 ms. A machine may have many thousands. */
const SLICE = 256;

/** The kernel's unit of times in /proc, the same on every Linux: hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Looks at a process that waits in the kernel: whoever waits for a disk that answers is soon through. */
const ROUNDS = 4;
const ROUND_PAUSE_MS = 20;

/** The process has ended meanwhile, or belongs to somebody else. */
const GONE = ["ENOENT", "ESRCH", "EACCES", "EPERM"];

/** What /proc/PID/stat tells of a process. */
export interface ProcessEntry {
  readonly pid: number;
  readonly name: string;
  /** "Z" for a zombie, "D" for one that waits in the kernel and hears no signal. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** The group in the foreground of its terminal. */
  readonly foreground: number;
  /** After the system's start. */
  readonly startedAtS: number;
}

/** Now, as `startedAtS` counts. A little earlier, since the kernel rounds. */
export function sinceBootS(): number {
  return uptime() - 0.1;
}

let coming: Promise<ProcessEntry[]> | undefined;

/**
 * All processes but this one, the oldest pids first. Read at once rather than by
 * libuv's few threads, which a dead mount can take: /proc/PID/stat touches no
 * disk and waits for nobody. Whoever asks in the same turn of the loop gets the same.
 */
export function processes(): Promise<ProcessEntry[]> {
  coming ??= setImmediate().then(() => {
    coming = undefined;
    return look();
  });
  return coming;
}

async function look(): Promise<ProcessEntry[]> {
  const found: ProcessEntry[] = [];
  const pids = readdirSync("/proc").map(Number);
  for (const [index, pid] of pids.filter((pid) => pid > 0 && pid !== process.pid).entries()) {
    if (index % SLICE === SLICE - 1) await setImmediate();
    const entry = statOf(pid);
    if (entry !== undefined) found.push(entry);
  }
  // Parents before children, as a rule: a shell that sees its child die first would end with a code of its own.
  return found.sort((one, other) => one.pid - other.pid);
}

/** One process; undefined where there is none. */
export function statOf(pid: number): ProcessEntry | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  // The name may contain anything, so count from its end.
  const end = stat.lastIndexOf(")");
  if (end < 0) return undefined;
  const fields = stat.slice(end + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid,
    name: stat.slice(stat.indexOf("(") + 1, end),
    state: fields[0] ?? "",
    parent: field(4),
    group: field(5),
    session: field(6),
    foreground: field(8),
    startedAtS: field(22) / TICKS_PER_SECOND,
  };
}

/** A look for jobs' processes, until it begins. */
let comingMarks: { sinceS: number; readonly found: Promise<ReadonlyMap<string, number[]>> } | undefined;

/** Processes by the job's mark that their environment has, of those that were started since then. */
export async function processesOfJobs(sinceS: number): Promise<ReadonlyMap<string, readonly number[]>> {
  comingMarks ??= { sinceS, found: processes().then(lookForMarks) };
  comingMarks.sinceS = Math.min(comingMarks.sinceS, sinceS);
  return comingMarks.found;
}

async function lookForMarks(all: readonly ProcessEntry[]): Promise<ReadonlyMap<string, number[]>> {
  const sinceS = comingMarks?.sinceS ?? 0;
  comingMarks = undefined;
  const found = new Map<string, number[]>();
  let unread = all.filter(({ startedAtS, state }) => startedAtS >= sinceS && state !== "Z" && state !== "X");
  for (let round = 0; round < ROUNDS && unread.length > 0; round += 1) {
    if (round > 0) await pause(ROUND_PAUSE_MS);
    const hung: ProcessEntry[] = [];
    for (const [index, entry] of unread.entries()) {
      if (index % SLICE === SLICE - 1) await setImmediate();
      if (hangs(entry.pid)) hung.push(entry);
      else {
        const mark = markOf(entry.pid);
        if (mark !== undefined) found.set(mark, [...(found.get(mark) ?? []), entry.pid]);
      }
    }
    unread = hung;
  }
  return found;
}

/**
 * Whether a thread of it waits in the kernel (D): it may be changing its memory (mmap of
 * a file on a dead mount), and whoever reads its environment then waits as well. What
 * falls into that state between this look and the reading is not caught.
 */
function hangs(pid: number): boolean {
  return threadsOf(pid).some((thread) => statOf(thread)?.state === "D");
}

/** The mark in a process's environment; undefined where there is none, or where it is somebody else's. */
function markOf(pid: number): string | undefined {
  const name = `${JOB_MARK_VARIABLE}=`;
  const variables = readProc(`/proc/${pid}/environ`).split("\0");
  return variables.find((variable) => variable.startsWith(name))?.slice(name.length);
}

function threadsOf(pid: number): number[] {
  return (unlessSync(GONE, () => readdirSync(`/proc/${pid}/task`)) ?? []).map(Number);
}

/** Empty where the process has ended meanwhile, or belongs to somebody else. */
function readProc(file: string): string {
  return unlessSync(GONE, () => readFileSync(file, "latin1")) ?? "";
}
