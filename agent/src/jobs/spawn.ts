import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Command } from "./command.ts";
import type { Environment } from "./environment.ts";
import type { PipePool } from "./pipe-pool.ts";
import { stdinFile } from "./stdin-file.ts";

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process that runs, the leader of a process group of its own. */
export interface Process {
  readonly pid: number;
  /** Null where the process has all its input already. */
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
  pipes: PipePool,
): Process | { readonly failed: Promise<unknown> } {
  const [program = "", ...args] =
    // After `--` a line that begins with a dash is still a command.
    "shell" in command.run ? ["/bin/sh", "-c", "--", command.run.shell] : command.run.argv;
  const theirs: number[] = [];
  let out: Readable | undefined;
  let err: Readable | undefined;
  const give = (end: number | undefined): number | "pipe" => {
    if (end !== undefined) theirs.push(end);
    return end ?? "pipe";
  };
  let child: ChildProcess;
  try {
    const stdin = inputOf(command);
    const stdio: StdioOptions = [typeof stdin === "number" ? give(stdin) : stdin];
    for (const name of ["stdout", "stderr"] as const) {
      const pipe = pipes.take();
      if (name === "stdout") out = pipe?.ours;
      else err = pipe?.ours;
      stdio.push(give(pipe?.theirs));
    }
    child = spawn(program, args, { cwd, env, detached: true, stdio });
  } catch (error) {
    out?.destroy();
    err?.destroy();
    return { failed: Promise.resolve(error) };
  } finally {
    for (const end of theirs) closeSync(end);
  }
  const { pid, stdin } = child;
  const stdout = out ?? child.stdout;
  const stderr = err ?? child.stderr;
  const failed = new Promise((resolve) => child.once("error", resolve));
  if (pid === undefined || stdout === null || stderr === null) {
    stdout?.destroy();
    stderr?.destroy();
    return { failed };
  }
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { pid, stdin, stdout, stderr, exit };
}

/** What the process reads from: nothing, a file that has it all, or a pipe that stays open. */
function inputOf({ stdin, stdinOpen }: Command): number | "ignore" | "pipe" {
  if (stdinOpen) return "pipe";
  if (stdin.length === 0) return "ignore";
  return stdinFile(stdin) ?? "pipe";
}
