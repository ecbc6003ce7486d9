import { execFile } from "node:child_process";
import { access, constants, realpath } from "node:fs/promises";
import os from "node:os";
import { promisify } from "node:util";
import { isErrno } from "@cmdop/kit";
import type { JobUser } from "../jobs/process/run-as.ts";

/** Where the system's programs lie: never looked for by way of a PATH, which is somebody's to set. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/** A directory service that has not answered in this time keeps the policy from being used. */
const LOOKUP_TIMEOUT_MS = 10_000;

const run = promisify(execFile);

/** A user by name, and how programs are started as that user. @throws Error that says what is missing */
export async function findUser(name: string): Promise<JobUser> {
  if (process.platform !== "linux") throw new Error("jobs can run as another user on Linux only");
  if (process.geteuid?.() !== 0) {
    throw new Error(
      `the agent runs as ${os.userInfo().username}, and only root can start jobs as another user`,
    );
  }
  const [uid, gid, home, shell] = await lookUp(name);
  const setpriv = await program("setpriv", "util-linux");
  const user: JobUser = { name, uid, gid, home, shell, setpriv };
  try {
    const args = [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--", "/bin/sh", "-c", ":"];
    await run(setpriv, args, { cwd: "/", env: {}, timeout: LOOKUP_TIMEOUT_MS });
  } catch (thrown) {
    throw new Error(`nothing can be started as ${name}: ${reasonOf(thrown)}`, { cause: thrown });
  }
  return user;
}

/** Groups that a user is in; empty where the system can't tell. */
export async function groupsOf(name: string): Promise<string[]> {
  try {
    const { stdout } = await run(await program("id", "coreutils"), ["-Gn", "--", name], {
      env: {},
      timeout: LOOKUP_TIMEOUT_MS,
    });
    return stdout.trim().split(" ");
  } catch (thrown) {
    if (thrown instanceof Error) return [];
    throw thrown;
  }
}

/** A home as it really lies: confined paths follow no links, so `~` must stand for the real directory. */
export async function realHome(home: string): Promise<string> {
  try {
    return await realpath(home);
  } catch (error) {
    // A service user may have none: then `~` leads nowhere, and says so when it is used.
    if (isErrno(error, "ENOENT")) return home;
    throw error;
  }
}

/** By getent, which knows directory services too. */
async function lookUp(name: string): Promise<[uid: number, gid: number, home: string, shell: string]> {
  const getent = await program("getent", "the C library");
  let line: string;
  try {
    line = (await run(getent, ["passwd", name], { env: {}, timeout: LOOKUP_TIMEOUT_MS })).stdout;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === 2) {
      throw new Error(`this machine knows no user ${name}`, { cause: thrown });
    }
    throw new Error(`the user ${name} can't be looked up: ${reasonOf(thrown)}`, { cause: thrown });
  }
  const [found, , uid, gid, , home = "", shell = ""] = line.trimEnd().split(":");
  if (found !== name || !/^\d+$/.test(uid ?? "") || !/^\d+$/.test(gid ?? "") || !home.startsWith("/")) {
    throw new Error(`what the system says of the user ${name} makes no sense`);
  }
  return [Number(uid), Number(gid), home, shell === "" ? "/bin/sh" : shell];
}

async function program(name: string, source: string): Promise<string> {
  for (const directory of SYSTEM_DIRECTORIES) {
    const candidate = `${directory}/${name}`;
    if (await isExecutable(candidate)) return candidate;
  }
  throw new Error(`the program ${name} (of ${source}) is missing`);
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.trim().replace(/\s+/g, " ") : String(thrown);
}
