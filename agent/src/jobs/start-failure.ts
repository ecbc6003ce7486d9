import { access, constants, stat } from "node:fs/promises";
import { delimiter, resolve } from "node:path";
import type { Command } from "./command.ts";
import type { Environment } from "./environment.ts";

/**
 * Why a command could not be started, in words. Node blames the program for a
 * missing directory too, so the directory is looked at here, and only here.
 */
export async function startFailure(
  error: unknown,
  command: Command,
  cwd: string,
  env: Environment,
): Promise<string> {
  const directory = await directoryFailure(cwd);
  if (directory !== undefined) return directory;

  const program = "shell" in command.run ? "/bin/sh" : (command.run.argv[0] ?? "");
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

async function found(program: string, cwd: string, env: Environment): Promise<boolean> {
  const directories = program.includes("/") ? [""] : (env.PATH ?? "").split(delimiter);
  const looks = await Promise.allSettled(directories.map((path) => stat(resolve(cwd, path, program))));
  return looks.some(({ status }) => status === "fulfilled");
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
