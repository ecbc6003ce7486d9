import { readFile } from "node:fs/promises";
import os from "node:os";
import { findSystemProgram, outputOf, reasonOf } from "./system-programs.ts";

/** A user, as the password database has it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** A directory service that has not answered in this time, in milliseconds, is taken for one that does not answer. */
const LOOKUP_TIMEOUT_MS = 10_000;

/** The status of getent for what it does not find. */
const NOT_FOUND = 2;

/** A user without a shell has this one, passwd(5) says. */
const DEFAULT_SHELL = "/bin/sh";

/**
 * A user by name or id; undefined where this machine knows none. By getent, which knows directory services too, where
 * there is such a program: in a process of its own, since such a service may take its time. @throws Error that says why not
 */
export async function lookUpAccount(who: string | number): Promise<Account | undefined> {
  const getent = await findSystemProgram("getent");
  const line = getent === undefined ? await lineInFile(who) : await lineOfSystem(getent, who);
  return line === undefined ? undefined : accountIn(line, who);
}

/** The user of this process. In a container its id may be in no database: then what the environment says. */
export async function ownAccount(own: NodeJS.ProcessEnv = process.env): Promise<Account> {
  const [uid, gid] = [process.geteuid?.() ?? -1, process.getegid?.() ?? -1];
  if (process.platform !== "linux") return accountOfProcess(own);
  return (await lookUpAccount(uid)) ?? accountOfEnvironment(own, uid, gid);
}

/** The same as the C library has it, at once: a directory service would keep this process waiting. */
export function accountOfProcess(own: NodeJS.ProcessEnv = process.env): Account {
  return localAccount() ?? accountOfEnvironment(own, process.geteuid?.() ?? -1, process.getegid?.() ?? -1);
}

/** The user of this process where the database has no entry, or can't be asked. */
export function accountOfEnvironment(own: NodeJS.ProcessEnv, uid: number, gid: number): Account {
  const home = own.HOME?.startsWith("/") ? own.HOME : "/";
  return { name: own.USER || own.LOGNAME || String(uid), uid, gid, home, shell: DEFAULT_SHELL };
}

function localAccount(): Account | undefined {
  try {
    const { username, uid, gid, homedir, shell } = os.userInfo();
    return { name: username, uid, gid, home: homedir, shell: shell || DEFAULT_SHELL };
  } catch (thrown) {
    // A system error of Node's, without an errno of its own: there is no such user.
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

/** @throws Error where the line makes no sense */
export function accountIn(line: string, who: string | number): Account {
  const [name = "", , uid = "", gid = "", , home = "", shell = ""] = line.trimEnd().split(":");
  const isAsked = typeof who === "string" ? name === who : uid === String(who);
  if (!isAsked || name === "" || !/^\d+$/.test(uid) || !/^\d+$/.test(gid) || !home.startsWith("/")) {
    throw new Error(`what the system says of the user ${who} makes no sense`);
  }
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell === "" ? DEFAULT_SHELL : shell };
}
