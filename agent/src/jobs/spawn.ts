import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Command } from "./command.ts";
import type { Environment } from "./environment.ts";

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process that runs, the leader of a process group of its own. */
export interface Process {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<Exit>;
}

/**
 * Starts a command in a session and process group of its own, on pipes. Nothing
 * is looked at beforehand: where the start fails, the error is what Node says
 * (see `startFailure` for what it means).
 */
export function spawnCommand(
  command: Command,
  cwd: string,
  env: Environment,
): Process | { readonly failed: Promise<unknown> } {
  const [program = "", ...args] =
    // After `--` a line that begins with a dash is still a command.
    "shell" in command.run ? ["/bin/sh", "-c", "--", command.run.shell] : command.run.argv;
  const wantsStdin = command.stdinOpen || command.stdin.length > 0;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd,
      env,
      detached: true,
      stdio: [wantsStdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
  } catch (error) {
    return { failed: Promise.resolve(error) };
  }
  const { pid, stdin, stdout, stderr } = child;
  const failed = new Promise((resolve) => child.once("error", resolve));
  if (pid === undefined || stdout === null || stderr === null) return { failed };
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { pid, stdin, stdout, stderr, exit };
}
