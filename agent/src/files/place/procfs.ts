import { CmdopError } from "@cmdop/proto";
import type { Access } from "./boundary.ts";
import { shown } from "./path.ts";

/** The type of a procfs, as the kernel calls it: wherever it is mounted, and whatever part of it. */
export const PROCFS = "proc";

/**
 * What may be read of a process: how it is doing, seen from outside. All else
 * is refused, for every process, since jobs of one key are no business of
 * another's, and the agent's own keys lie in its memory: environment,
 * arguments, memory, open files.
 */
const TOLD_OF_PROCESSES: ReadonlySet<string> = new Set([
  "cgroup",
  "comm",
  "io",
  "limits",
  "loginuid",
  "mountinfo",
  "mounts",
  "mountstats",
  "net",
  "oom_adj",
  "oom_score",
  "oom_score_adj",
  "sched",
  "schedstat",
  "sessionid",
  "stat",
  "statm",
  "status",
  "task",
  "wchan",
]);

/** The memory of the whole machine, as files. */
const MEMORY: ReadonlySet<string> = new Set(["kcore", "vmcore"]);

const PROCESS = /^\/\d+(?:\/task\/\d+)?(?:\/([^/]*)|$)/;

/** Refuses what shows the inside of a process, or of the machine's memory. `inside`: the path in the procfs; `path`: for the message. */
export function refuseInsides(inside: string, path: string, access: Access): void {
  const [, top = ""] = inside.split("/");
  const process = PROCESS.exec(inside);
  const [, name] = process ?? [];
  const isTold = name === undefined || TOLD_OF_PROCESSES.has(name);
  const isRefused = process === null ? MEMORY.has(top) : access === "write" || !isTold;
  if (!isRefused) return;
  throw new CmdopError(
    "PolicyDenied",
    access === "write" && isTold && process !== null
      ? `${shown(path)} belongs to a process, into which nobody writes.`
      : `${shown(path)} shows the inside of ${process === null ? "the machine's memory" : "a process"}.`,
    { next: "Use a command for what /proc says beside status, stat, limits and the like." },
  );
}
