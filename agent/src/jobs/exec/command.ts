import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { LONGEST_TIMER_MS } from "@cmdop/kit";
import {
  CmdopError,
  MAX_COMMAND_BYTES,
  MAX_INLINE_STDIN_BYTES,
  MAX_PATH_BYTES,
  pathBytes,
  pathText,
} from "@cmdop/proto";
import { SHELL_NAMES } from "../../login/line-shell.ts";
import type { Environment } from "../process/environment.ts";

/** One command, as its caller asked for it. */
export interface Command {
  /** A line for a shell, or a program with its arguments. */
  readonly run: { readonly shell: string } | { readonly argv: readonly string[] };
  /** True where the line or an argument has bytes that are not UTF-8: then they are written as names are (`pathText`). */
  readonly escaped?: true;
  /** The shell of a line: an absolute path or one of SHELL_NAMES. Empty, or absent, means what the machine has for lines. */
  readonly shell?: string | undefined;
  /** Whether the environment is what the user's profile leaves; absent means what the policy says. */
  readonly login?: boolean | undefined;
  /** Written as names are. Empty means the home directory; `~` expands; relative to the home directory. */
  readonly cwd: string;
  /** Added to the environment; what it sets wins. */
  readonly env: Environment;
  /** The job's time limit; 0 means none. */
  readonly timeoutMs: number;
  /** Whether standard input stays open for more. */
  readonly stdinOpen: boolean;
  /** The first bytes of standard input. */
  readonly stdin: Uint8Array;
}

/** How much of a command a list shows. */
const SUMMARY_CHARACTERS = 200;

/** Throws InvalidArgument or MessageTooLarge where the system could not be asked to run this at all. */
export function checkCommand(command: Command): void {
  const { run, cwd, env, timeoutMs, stdin } = command;
  checkShell(command);
  const args = "shell" in run ? [run.shell] : run.argv;
  if (args.length === 0 || args[0] === "") {
    throw invalid("The command is empty.", "Give a shell line, or a program as the first argument.");
  }
  args.forEach((arg, index) => {
    if (arg.includes("\0")) {
      throw invalid(
        `${"shell" in run ? "The command line" : `Argument ${index}`} contains a NUL byte, which no program can be given.`,
        "Send binary data by standard input or in a file.",
      );
    }
  });
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || /[=\0]/.test(name)) {
      throw invalid(
        `${JSON.stringify(name)} can't be the name of an environment variable: names are not empty and hold no "=" and no NUL.`,
      );
    }
    if (value.includes("\0")) throw invalid(`The environment variable ${name} contains a NUL byte.`);
  }
  if (cwd.includes("\0")) throw invalid("The working directory contains a NUL byte.");
  if (timeoutMs > LONGEST_TIMER_MS) {
    throw invalid(`A time limit is at most ${LONGEST_TIMER_MS} ms (24 days); ${timeoutMs} was asked for.`);
  }

  const size = [...args, ...Object.entries(env).flat()].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    0,
  );
  tooLarge(
    "Arguments and environment",
    size,
    MAX_COMMAND_BYTES,
    "Put the data into a file or standard input.",
  );
  tooLarge("The working directory", pathBytes(cwd).length, MAX_PATH_BYTES, "Use a shorter path.");
  tooLarge(
    "Standard input in the request",
    stdin.length,
    MAX_INLINE_STDIN_BYTES,
    "Keep standard input open (stdin_open) and send the rest with Input.",
  );
}

function checkShell({ run, shell = "" }: Command): void {
  if (shell === "") return;
  if (!("shell" in run)) {
    throw invalid("A program with its arguments runs in no shell.", "Leave shell out, or give a line.");
  }
  if (/^\/[^\0]+$/.test(shell) && shell.length <= MAX_PATH_BYTES) return;
  if (SHELL_NAMES.includes(shell)) return;
  throw invalid(
    `${JSON.stringify(shell.slice(0, SUMMARY_CHARACTERS))} is no shell that a line can be given to.`,
    `Give the absolute path of a shell, or one of ${SHELL_NAMES.join(", ")}.`,
  );
}

/** What makes two requests the same: everything but the offset to stream from. */
export function requestHash({
  run,
  escaped,
  shell = "",
  login,
  cwd,
  env,
  timeoutMs,
  stdinOpen,
  stdin,
}: Command): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([run, shell, login ?? null, cwd, variables, timeoutMs, stdinOpen, escaped]))
    .update("\n")
    .update(stdin)
    .digest("base64url");
}

/** The command as one line for people. */
export function summary({ run }: Pick<Command, "run">): string {
  const line = "shell" in run ? run.shell : firstWords(run.argv);
  const short = line.length > SUMMARY_CHARACTERS ? `${line.slice(0, SUMMARY_CHARACTERS - 1)}…` : line;
  // Through a buffer, since a slice would keep the whole line alive.
  return Buffer.from(short.replace(/\s+/g, " ")).toString();
}

/** As many words as a list shows, and one more. */
function firstWords(argv: readonly string[]): string {
  let line = "";
  for (const arg of argv) {
    if (line.length > SUMMARY_CHARACTERS) break;
    line += (line === "" ? "" : " ") + quoted(arg.slice(0, SUMMARY_CHARACTERS + 1));
  }
  return line;
}

/** The absolute directory that a command asked for, written as names are. `home`: as the system has it. */
export function workingDirectory(cwd: string, home: string): string {
  return resolve(pathText(home), cwd === "~" ? "" : cwd.replace(/^~\//, ""));
}

function quoted(arg: string): string {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}

function invalid(message: string, next?: string): CmdopError {
  return new CmdopError("InvalidArgument", message, { next });
}

function tooLarge(what: string, bytes: number, maxBytes: number, next: string): void {
  if (bytes <= maxBytes) return;
  throw new CmdopError("MessageTooLarge", `${what} may have ${maxBytes} bytes at most, not ${bytes}.`, {
    next,
  });
}
