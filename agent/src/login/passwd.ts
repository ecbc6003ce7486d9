import { readFile } from "node:fs/promises";
import os from "node:os";
import { findSystemProgram, outputOf, reasonOf } from "./system-programs.ts";

/** A user's entry in the password database. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Time limit for a directory service, in milliseconds; one that takes longer is not answering. */
const LOOKUP_TIMEOUT_MS = 10_000;

/** Exit code of getent for an unknown user. */
const NOT_FOUND = 2;

/** The shell of a user without one, as passwd(5) says. */
const DEFAULT_SHELL = "/bin/sh";

/**
 * Looks up a user by name or id; undefined if this machine has none. Uses getent if there is one, because it
 * knows directory services; it runs in a process of its own, because such a service may be slow.
 * @throws Error that says why the lookup failed
 */
export async function lookUpAccount(who: string | number): Promise<Account | undefined> {
  const getent = await findSystemProgram("getent");
  const line = getent === undefined ? await lineInFile(who) : await lineOfSystem(getent, who);
  return line === undefined ? undefined : accountIn(line, who);
}

/** Returns the user of this process. In a container its id may have no entry: then the environment counts. */
export async function ownAccount(own: NodeJS.ProcessEnv = process.env): Promise<Account> {
  const [uid, gid] = [process.geteuid?.() ?? -1, process.getegid?.() ?? -1];
  if (process.platform !== "linux") return accountOfProcess(own);
  return (await lookUpAccount(uid)) ?? accountOfEnvironment(own, uid, gid);
}

/** Returns the same from the C library, synchronously: a directory service may block this process. */
export function accountOfProcess(own: NodeJS.ProcessEnv = process.env): Account {
  return localAccount() ?? accountOfEnvironment(own, process.geteuid?.() ?? -1, process.getegid?.() ?? -1);
}

/** Returns the user of this process from the environment, if the database has no entry or can't be asked. */
export function accountOfEnvironment(own: NodeJS.ProcessEnv, uid: number, gid: number): Account {
  const home = own.HOME?.startsWith("/") ? own.HOME : "/";
  return { name: own.USER || own.LOGNAME || String(uid), uid, gid, home, shell: DEFAULT_SHELL };
}

function localAccount(): Account | undefined {
  try {
    const { username, uid, gid, homedir, shell } = os.userInfo();
    return { name: username, uid, gid, home: homedir, shell: shell || DEFAULT_SHELL };
  } catch (thrown) {
    // Node throws a system error without an errno here: there is no such user.
    if (thrown instanceof Error && "code" in thrown) return undefined;
    throw thrown;
  }
}

async function lineOfSystem(getent: string, who: string | number): Promise<string | undefined> {
  try {
    return await outputOf(getent, ["passwd", String(who)], { timeoutMs: LOOKUP_TIMEOUT_MS });
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === NOT_FOUND) return undefined;
    throw new Error(`the user ${who} can't be looked up: ${reasonOf(thrown)}`, { cause: thrown });
  }
}

async function lineInFile(who: string | number): Promise<string | undefined> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  return lines.find((line) => line.split(":")[typeof who === "string" ? 0 : 2] === String(who));
}

/** Parses a line of the password database. @throws Error if it is malformed or of another user */
export function accountIn(line: string, who: string | number): Account {
  const [name = "", , uid = "", gid = "", , home = "", shell = ""] = line.trimEnd().split(":");
  const isAsked = typeof who === "string" ? name === who : uid === String(who);
  if (!isAsked || name === "" || !/^\d+$/.test(uid) || !/^\d+$/.test(gid) || !home.startsWith("/")) {
    throw new Error(`the system's entry for the user ${who} is malformed`);
  }
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell === "" ? DEFAULT_SHELL : shell };
}
