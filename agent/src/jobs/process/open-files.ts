import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { errnoOf } from "@cmdop/kit";

/** The soft limit of a service and of a login, unless somebody says otherwise: select(2) can't take more. */
const USUAL_OPEN_FILES = 1024;

/** A helper with fewer could not start anything. */
const MIN_OPEN_FILES = 64;

/** Processes from here to the one that started the agent; more than any machine has of Node's in a row. */
const MAX_GENERATIONS = 32;

/**
 * The soft limit on open files that the agent was started with. Node raises its own
 * before any of its code runs, and does not tell what it was: so it is read off the
 * nearest parent that is not Node, a shell for one. Where there is none, or systemd
 * is the parent, whose own limit is not that of its services, it is the usual one.
 */
export function startingOpenFiles(): number {
  if (process.platform !== "linux") return USUAL_OPEN_FILES;
  try {
    let pid = process.ppid;
    for (let generation = 0; pid > 1 && generation < MAX_GENERATIONS; generation += 1) {
      const name = readFileSync(`/proc/${pid}/comm`, "latin1").trim();
      if (name === "systemd") break;
      if (!isNode(pid)) return Math.max(softLimit(pid), MIN_OPEN_FILES);
      pid = parentOf(pid);
    }
  } catch (error) {
    // A parent that has ended meanwhile, or belongs to somebody else.
    if (errnoOf(error) === undefined) throw error;
  }
  return USUAL_OPEN_FILES;
}

/** Lowers the soft limit of this process, for what it starts. By util-linux' prlimit: Node has no word for it. */
export function limitOpenFiles(soft: number): void {
  spawnSync("prlimit", ["--pid", String(process.pid), `--nofile=${soft}:`], { stdio: "ignore" });
}

function isNode(pid: number): boolean {
  return /\/node(js)?( \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`));
}

function softLimit(pid: number): number {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "latin1")) ?? [];
  // "unlimited" is a number to the kernel, too.
  return Number(soft) || USUAL_OPEN_FILES;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}
