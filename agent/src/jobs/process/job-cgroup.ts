import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "@cmdop/kit";
import { statOf } from "./process-table.ts";

/** The cgroup that a job was started in: what it starts stays there, whatever its session, group and environment. */
export class JobCgroup {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** One of an earlier life of the agent; undefined where it is gone. */
  static found(directory: string): JobCgroup | undefined {
    return existsSync(directory) ? new JobCgroup(directory) : undefined;
  }

  /** Whether the agent itself is in it: a job of an earlier life may have started it. Then it tells nothing. */
  get hasAgent(): boolean {
    return pidsIn(this.directory).includes(process.pid);
  }

  /** The pids in it, and below it, without helpers of the agent's: the spawner sits there for a moment. */
  members(): number[] {
    const all = pidsIn(this.directory);
    return all.includes(process.pid) ? [] : all.filter((pid) => statOf(pid)?.parent !== process.pid);
  }

  /** Ends all that is in it at once, also what forks meanwhile. */
  kill(): void {
    const all = pidsIn(this.directory);
    if (all.length === 0 || all.length > this.members().length) return;
    unlessGone(() => writeFileSync(join(this.directory, "cgroup.kill"), "1"));
  }

  /** True where it is gone; it stays while something runs in it. */
  remove(): boolean {
    try {
      for (const below of directoriesIn(this.directory)) new JobCgroup(below).remove();
      rmdirSync(this.directory);
      return true;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return errnoOf(error) === "ENOENT";
    }
  }
}

function pidsIn(directory: string): number[] {
  const own = unlessGone(() => readFileSync(join(directory, "cgroup.procs"), "latin1")) ?? "";
  const pids = own.split("\n").flatMap((line) => (line === "" ? [] : [Number(line)]));
  return [...pids, ...directoriesIn(directory).flatMap(pidsIn)];
}

function directoriesIn(directory: string): string[] {
  const entries = unlessGone(() => readdirSync(directory, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => (entry.isDirectory() ? [join(directory, entry.name)] : []));
}

/** Undefined where it is gone, or can't be used any more. */
function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}
