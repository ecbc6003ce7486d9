import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { errnoOf } from "@cmdop/kit";

/** What was to be started, as far as it can fail. */
export interface Wanted {
  readonly program: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Why a program could not be started, in words, where Node tried it. Node blames
 * the program for a missing directory too, so the directory is looked at here.
 * It looks at the disk: only for whoever has just tried the same.
 */
export function startFailure(error: unknown, { program, cwd, env }: Wanted): string {
  const directory = lookAtDirectory(cwd);
  if (directory !== undefined) return directoryFailure(cwd, directory);
  const code = errnoOf(error);
  if (code === "ENOENT") return programFailure(program, { code, there: isThere(program, cwd, env) });
  return programFailure(program, { code, message: messageOf(error) });
}

/**
 * The same where a shell tried it (see launch.ts) and left its mark: what it was at,
 * the status that this ended with, whether it is there, and what `ls` says of it.
 */
export function launchFailure(mark: string, program: string, cwd: string): string {
  const [, stage, status, presence, text = ""] =
    /^(directory|program) (\d+) (there|-)\s*(.*)$/s.exec(mark.trimEnd()) ?? [];
  const there = presence === "there";
  if (stage === "directory") {
    const code = text.endsWith("Permission denied")
      ? "EACCES"
      : there || text.endsWith("Not a directory")
        ? "ENOTDIR"
        : "ENOENT";
    return directoryFailure(cwd, { code, there });
  }
  if (stage === undefined) return programFailure(program, { message: mark });
  const missing = status === "127" || !there;
  const code = missing && !text.endsWith("Permission denied") ? "ENOENT" : "EACCES";
  return programFailure(program, { code, there });
}

/** What hangs instead of failing: which of them is not known. */
export function startHung({ program, cwd, env }: Wanted, waitedMs: number): string {
  const search = program.includes("/") ? "" : ` (looked for in PATH ${env.PATH})`;
  return `It was not started, and will not be: the file system of its working directory ${cwd}, or of its program ${program}${search}, did not answer in ${(waitedMs / 1000).toFixed(1)} s. Use others, or have the mount repaired (umount -l lets go of one whose server is gone).`;
}

/** What went wrong with a path, as far as it is known. */
interface Trouble {
  readonly code?: unknown;
  /** Whether there is something of that name. */
  readonly there?: boolean;
  readonly message?: string;
}

function directoryFailure(cwd: string, { code, there = false, message }: Trouble): string {
  switch (code) {
    case "ENOENT":
      return `The working directory ${cwd} does not exist.`;
    case "ENOTDIR":
      return there
        ? `The working directory ${cwd} is not a directory.`
        : `The working directory ${cwd} does not exist: a part of it is not a directory.`;
    case "EACCES":
      return `The working directory ${cwd} can't be entered by the user that jobs run as.`;
    default:
      return `The working directory ${cwd} can't be used: ${message}`;
  }
}

function programFailure(program: string, { code, there = false, message }: Trouble): string {
  switch (code) {
    case "ENOENT":
      return there
        ? `The program ${program} exists, but the interpreter that it names (its first line, or its loader) does not.`
        : `The program ${program} was not found${program.includes("/") ? "" : " in PATH"}.`;
    case "EACCES":
      return `The program ${program} may not be executed: it has no execute permission for the user that jobs run as, or lies in a directory that this user can't enter.`;
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
      return `${program} could not be started: ${message}`;
  }
}

function lookAtDirectory(cwd: string): Trouble | undefined {
  try {
    if (!statSync(cwd).isDirectory()) return { code: "ENOTDIR", there: true };
    accessSync(cwd, constants.X_OK);
    return undefined;
  } catch (error) {
    return { code: errnoOf(error), message: messageOf(error) };
  }
}

function isThere(program: string, cwd: string, env: Wanted["env"]): boolean {
  const directories = program.includes("/") ? [""] : (env.PATH ?? "").split(delimiter);
  return directories.some(
    (path) => statSync(resolve(cwd, path, program), { throwIfNoEntry: false }) !== undefined,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
