import { access, constants, stat } from "node:fs/promises";
import { delimiter, resolve } from "node:path";
import type { Environment } from "./environment.ts";

/**
 * Why a program could not be started, in words. Node blames the program for a
 * missing directory too, so the directory is looked at here, and only here.
 */
export async function startFailure(
  error: unknown,
  program: string,
  cwd: string,
  env: Environment,
): Promise<string> {
  const directory = await directoryFailure(cwd);
  if (directory !== undefined) return directory;

  switch (errorCode(error)) {
    case "ENOENT":
      return (await found(program, cwd, env))
        ? `The program ${program} exists, but the interpreter that it names (its first line, or its loader) does not.`
        : `The program ${program} was not found${program.includes("/") ? "" : " in PATH"}.`;
    case "EACCES":
      return `The program ${program} may not be executed: it has no execute permission for the agent's user, or lies in a directory that this user can't enter.`;
    case "E2BIG":
      return "The arguments are too long: Linux takes 128 KiB for a single argument. Send the data by standard input or in a file.";
    case "EAGAIN":
      return "The machine's limit on processes is reached (ulimit -u, or the service's TasksMax).";
    case "EMFILE":
    case "ENFILE":
      return "The machine's limit on open files is reached (ulimit -n, or the service's LimitNOFILE).";
    case "ENOMEM":
      return "The machine has no memory left for another process.";
    default:
      return `${program} could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function directoryFailure(cwd: string): Promise<string | undefined> {
  try {
    if (!(await stat(cwd)).isDirectory()) return `The working directory ${cwd} is not a directory.`;
    await access(cwd, constants.X_OK);
    return undefined;
  } catch (error) {
    switch (errorCode(error)) {
      case "ENOENT":
        return `The working directory ${cwd} does not exist.`;
      case "ENOTDIR":
        return `The working directory ${cwd} does not exist: a part of it is not a directory.`;
      case "EACCES":
        return `The working directory ${cwd} can't be entered by the agent's user.`;
      default:
        return `The working directory ${cwd} can't be used: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

/**
 * Looks for a program that will not be started by the agent itself, so that its
 * absence is told as a failed start. Null where it may be executed; else an error
 * such as `exec` gives.
 */
export async function programFailure(program: string, cwd: string, env: Environment): Promise<Error | null> {
  const looks = await Promise.allSettled(candidates(program, cwd, env).map(checkExecutable));
  if (looks.some(({ status }) => status === "fulfilled")) return null;
  const reasons = looks.flatMap((look) => (look.status === "rejected" ? [look.reason] : []));
  // One that may not be executed says more than all that are not there.
  const code = reasons.some((reason) => errorCode(reason) === "EACCES") ? "EACCES" : "ENOENT";
  return Object.assign(new Error(`${program} can't be executed`), { code });
}

/** The same of the directory too, for a program that is started by way of another as another user. */
export async function anyFailure(program: string, cwd: string, env: Environment): Promise<Error | null> {
  const directory = await directoryFailure(cwd);
  return directory === undefined ? programFailure(program, cwd, env) : new Error(directory);
}

async function checkExecutable(path: string): Promise<void> {
  await access(path, constants.X_OK);
  // A directory passes for executable; what `exec` says of it is this.
  if (!(await stat(path)).isFile()) throw Object.assign(new Error(`${path} is no file`), { code: "EACCES" });
}

async function found(program: string, cwd: string, env: Environment): Promise<boolean> {
  const looks = await Promise.allSettled(candidates(program, cwd, env).map((path) => stat(path)));
  return looks.some(({ status }) => status === "fulfilled");
}

/** Where a program may lie. */
function candidates(program: string, cwd: string, env: Environment): string[] {
  const directories = program.includes("/") ? [""] : (env.PATH ?? "").split(delimiter);
  return directories.map((path) => resolve(cwd, path, program));
}

/** The system's code of an error, "ENOENT" for one. */
export function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
