import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { JobCgroup } from "./job-cgroup.ts";
import { sinceBootS, statOf } from "./process-table.ts";

/** A job's first process, as it is written down: a pid alone may be somebody else's by the next life of the agent. */
export const birthSchema = z.object({
  bootId: z.string(),
  pid: z.int(),
  startedAtS: z.number(),
  /** The directory of its cgroup. */
  cgroup: z.string().optional(),
});
export type Birth = Readonly<z.infer<typeof birthSchema>>;

/** By what the processes of a job are known, wherever they have gone. */
export interface JobTrace {
  /** What their environment holds: a secret of the agent's, so that no other job can pass for this one. */
  readonly mark: string;
  /** When the job began, in seconds after the system's start (see `sinceBootS`): older processes are not looked at. */
  readonly sinceS: number;
  /** The job's first process, which leads its group and session; undefined until it is there, and where it is not known for certain. */
  leader?: number | undefined;
  /** Undefined where there is none, and once it is gone. */
  cgroup?: JobCgroup | undefined;
}

/** The trace of a job that is about to begin. */
export function newTrace(): JobTrace {
  return { mark: randomUUID(), sinceS: sinceBootS() };
}

/** The trace of a job of an earlier life; `isEnded`: its first process is gone. */
export function traceOf(mark: string, birth: Birth | null, isEnded: boolean): JobTrace {
  const trace: JobTrace = { mark, sinceS: 0 };
  if (birth === null || birth.bootId !== bootId()) return trace;
  const isSame = !isEnded && statOf(birth.pid)?.startedAtS === birth.startedAtS;
  const cgroup = birth.cgroup === undefined ? undefined : JobCgroup.found(birth.cgroup);
  return { ...trace, leader: isSame ? birth.pid : undefined, cgroup };
}

/** Notes a job's first process in its trace; what is to be written down of it, where the system tells. */
export function born(trace: JobTrace, pid: number, cgroup: string | undefined): Birth | undefined {
  trace.leader = pid;
  trace.cgroup = cgroup === undefined ? undefined : new JobCgroup(cgroup);
  if (process.platform !== "linux") return undefined;
  const startedAtS = statOf(pid)?.startedAtS;
  return startedAtS === undefined ? undefined : { bootId: bootId(), pid, startedAtS, cgroup };
}

let boot: string | undefined;

function bootId(): string {
  boot ??=
    process.platform === "linux" ? readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim() : "";
  return boot;
}
