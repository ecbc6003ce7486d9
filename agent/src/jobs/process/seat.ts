import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { errnoOf } from "@cmdop/kit";

/** The directories of jobs, below that of the agent's own cgroup. */
const PREFIX = "cmdop-job-";

/** How long the spawner stays where a job was started: to move costs up to 5 ms, and a short command's end is told first. */
const LEAVE_MS = 20;

/** Attempts to make a cgroup: another agent that cleans up may take it for one that was left. */
const ATTEMPTS = 3;

/**
 * The cgroup that the spawner sits in: what it starts is born there, so each job
 * has one of its own, which nothing leaves by `setsid` or a clean environment.
 * The next is taken ahead, so that a start does not wait for the move.
 */
export class Seat {
  readonly #base: string;
  #current: string | undefined;
  #isUsed = false;
  #leaving: NodeJS.Timeout | undefined;
  /** Of what was no job, and ends by itself. */
  #left: string[] = [];

  private constructor(base: string) {
    this.#base = base;
  }

  /** Undefined where this process may not make cgroups (version 2), or the system has none. */
  static find(): Seat | undefined {
    try {
      const base = ownDirectory();
      if (base === undefined) return undefined;
      removeEmpty(base);
      // A kernel older than 5.14 can't end all that is in one at once.
      const probe = make(base);
      const canKill = existsSync(join(probe, "cgroup.kill"));
      rmdirSync(probe);
      if (!canKill) return undefined;
      const seat = new Seat(base);
      seat.take();
      return seat;
    } catch (error) {
      // Read-only, or somebody else's.
      if (errnoOf(error) !== undefined) return undefined;
      throw error;
    }
  }

  /** The cgroup of what is started next, where nothing else is. @throws Error where the last one can't be left */
  take(): string {
    clearTimeout(this.#leaving);
    if (this.#current !== undefined && !this.#isUsed) return this.#current;
    const next = enterNew(this.#base);
    this.#current = next;
    this.#isUsed = false;
    this.#left = this.#left.filter((directory) => !removed(directory));
    return next;
  }

  /** Something has been started in the present one: a job, whose cgroup the agent removes, or a helper. */
  use(what: "job" | "helper"): void {
    if (what === "helper" && this.#current !== undefined) this.#left.push(this.#current);
    this.#isUsed = true;
    this.#leaving = setTimeout(() => this.#leave(), LEAVE_MS);
  }

  /** What fails here is said at the next start. */
  #leave(): void {
    try {
      this.take();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }
}

/** Removes what is left of cgroups of jobs below this process's own: the kernel removes none in which something runs. */
export function removeEmptyCgroups(): void {
  try {
    const base = process.platform === "linux" ? ownDirectory() : undefined;
    if (base !== undefined) removeEmpty(base);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

function make(base: string): string {
  const directory = join(base, PREFIX + randomUUID());
  mkdirSync(directory);
  return directory;
}

function enterNew(base: string): string {
  for (let attempt = 1; ; attempt += 1) {
    const directory = make(base);
    try {
      writeFileSync(join(directory, "cgroup.procs"), "0", { flag: "r+" });
      return directory;
    } catch (error) {
      removed(directory);
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** False where something is in it. */
function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return errnoOf(error) === "ENOENT";
  }
}

/** Where the cgroup of this process is in the file system, in a hierarchy of version 2. */
function ownDirectory(): string | undefined {
  const own = /^0::(.+)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  if (own === undefined) return undefined;
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [mount = "", rest = ""] = line.split(" - ");
    if (!rest.startsWith("cgroup2 ")) continue;
    const [, , , root = "/", place = ""] = mount.split(" ");
    const below = relative(root, own);
    if (!below.startsWith("..")) return join(place, below);
  }
  return undefined;
}

function removeEmpty(base: string): void {
  for (const name of readdirSync(base)) if (name.startsWith(PREFIX)) removed(join(base, name));
}
