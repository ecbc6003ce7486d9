import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import os from "node:os";
import { within } from "@cmdop/kit";
import { CmdopError, type RelayTarget } from "@cmdop/proto";
import { loadModelSettings } from "../loop/settings.ts";

/** Longest wait for a file system, in milliseconds: the server of a network disk may be gone. */
const STATFS_MS = 1_000;

/** The agent's own knowledge of its health. */
export interface HealthSources {
  readonly stateDir: string;
  readonly relay: RelayTarget;
  /** The error of the last attempt to reach the relay; undefined while the link is up. */
  readonly linkError: () => CmdopError | undefined;
  /** The home of the user that jobs run as. */
  readonly home: () => string;
  /** The shell for lines; undefined if the policy allows none. */
  readonly lineShell: () => string | undefined;
}

/** Answers of file systems that are still awaited: one that hangs is not asked again. */
type Asked = Map<string, ReturnType<typeof statfs>>;

/** Returns a function that gathers a machine's health, for the message of that name. */
export function healthOf({ stateDir, relay, linkError, home, lineShell }: HealthSources) {
  const asked: Asked = new Map();
  return async () => {
    const error = linkError();
    const model = await modelHealth(stateDir);
    const disks = await Promise.all([
      diskSpace("state", stateDir, asked),
      diskSpace("home", home(), asked),
      diskSpace("temporary files", os.tmpdir(), asked),
    ]);
    return {
      relay: `${relay.id}@${relay.address}`,
      linked: error === undefined,
      linkError: error?.message ?? "",
      linkNext: error?.next ?? "",
      timeMs: Date.now(),
      nodeVersion: process.versions.node,
      agentMemoryBytes: BigInt(process.memoryUsage.rss()),
      disks: disks.filter((disk) => disk !== undefined),
      maxOpenFiles: BigInt(maxOpenFiles()),
      maxWatches: BigInt(numberIn("/proc/sys/fs/inotify/max_user_watches")),
      shell: lineShell() ?? "",
      ...model,
      managed: isManaged(process.env, process.pid),
      load: os.loadavg()[0] ?? 0,
      freeMemoryBytes: BigInt(process.availableMemory()),
    };
  };
}

/**
 * True if systemd started this very process. What it started may have started this one, as a desktop's
 * terminal has: both inherit INVOCATION_ID, and only the first has the id that SYSTEMD_EXEC_PID names
 * (systemd 248 and later).
 */
export function isManaged(env: NodeJS.ProcessEnv, pid: number): boolean {
  const { INVOCATION_ID, SYSTEMD_EXEC_PID } = env;
  return SYSTEMD_EXEC_PID === undefined ? INVOCATION_ID !== undefined : SYSTEMD_EXEC_PID === String(pid);
}

async function modelHealth(stateDir: string) {
  try {
    const { provider, modelId } = await loadModelSettings(stateDir);
    return { model: `${provider}:${modelId}`, modelError: "", modelNext: "" };
  } catch (thrown) {
    const { message, next } = CmdopError.from(thrown);
    return { model: "", modelError: message, modelNext: next ?? "" };
  }
}

/** Returns the room on the file system of a path; undefined if it can't be asked. */
async function diskSpace(purpose: string, path: string, asked: Asked) {
  const answer = asked.get(path) ?? ask(path, asked);
  asked.set(path, answer);
  try {
    const found = await within(answer, STATFS_MS);
    if (found === undefined) return undefined;
    const { bsize, bavail, blocks, ffree, files } = found;
    return {
      path,
      purpose,
      freeBytes: BigInt(bavail) * BigInt(bsize),
      totalBytes: BigInt(blocks) * BigInt(bsize),
      freeFiles: BigInt(ffree),
      totalFiles: BigInt(files),
    };
  } catch {
    // A path that is not there, or a mount that does not answer: calls that use it say so.
    return undefined;
  }
}

async function ask(path: string, asked: Asked) {
  try {
    return await statfs(path);
  } finally {
    asked.delete(path);
  }
}

/** Returns the soft limit of open files; 0 if it is not known. */
function maxOpenFiles(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(textOf("/proc/self/limits"))?.[1] ?? 0);
}

function numberIn(file: string): number {
  const number = Number(textOf(file));
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Other systems than Linux do not have it.
    return "";
  }
}
