import { userName } from "@cmdop/kit";
import type { JobUser } from "../jobs/process/run-as.ts";
import { lookUpAccount } from "../login/passwd.ts";
import { outputOf, reasonOf, systemProgram } from "../login/system-programs.ts";

/**
 * Time limit for a program of the system, in milliseconds. Such a program starts nothing else and answers at
 * once.
 */
const PROGRAM_TIMEOUT_MS = 10_000;

/**
 * Looks up a user by name, and finds the program that starts jobs as that user.
 * @throws Error that says what is missing
 */
export async function findUser(name: string): Promise<JobUser> {
  if (process.platform !== "linux") throw new Error("jobs can run as another user on Linux only");
  if (process.geteuid?.() !== 0) {
    throw new Error(`the agent runs as ${userName()}, and only root can start jobs as another user`);
  }
  const account = await lookUpAccount(name);
  if (account === undefined) throw new Error(`this machine has no user ${name}`);
  const user: JobUser = { ...account, setpriv: await systemProgram("setpriv", "util-linux") };
  try {
    const args = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", "/bin/sh", "-c", ":"];
    await outputOf(user.setpriv, args, { timeoutMs: PROGRAM_TIMEOUT_MS });
  } catch (thrown) {
    throw new Error(`nothing can be started as ${name}: ${reasonOf(thrown)}`, { cause: thrown });
  }
  return user;
}

/** Returns the groups of a user; empty if the system can't tell. */
export async function groupsOf(name: string): Promise<string[]> {
  try {
    const id = await systemProgram("id", "coreutils");
    return (await outputOf(id, ["-Gn", "--", name], { timeoutMs: PROGRAM_TIMEOUT_MS })).trim().split(" ");
  } catch (thrown) {
    if (thrown instanceof Error) return [];
    throw thrown;
  }
}
