import { closeSync, fchownSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Command } from "../exec/command.ts";
import type { Environment } from "./environment.ts";
import type { End, Refused } from "./fork.ts";
import type { Pipe, PipePool } from "./pipe-pool.ts";
import type { JobUser } from "./run-as.ts";
import type { Lost } from "./spawner-child.ts";
import type { Exit } from "./spawner-messages.ts";
import { type Prepared, type StartContext, startProcess } from "./start-process.ts";
import { stdinFile } from "./stdin-file.ts";

/** A command that runs on pipes, the leader of a process group of its own. */
export interface Process {
  readonly pid: number;
  /** Null where the process has all its input already. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<Exit | Lost>;
}

/** With what commands are started. */
export interface SpawnContext extends StartContext {
  /** Who commands run as, where it is not the agent's own user. */
  readonly user: JobUser | undefined;
}

/** What is started. */
export interface Start {
  readonly program: string;
  readonly args: readonly string[];
  /** An absolute path, written as names are. */
  readonly cwd: string;
  /** As in Launch. */
  readonly escaped?: boolean | undefined;
  readonly env: Environment;
  /** What of the environment the agent itself has made. */
  readonly trusted: Environment;
  /** The first bytes of standard input, and whether it stays open for more. */
  readonly input: Pick<Command, "stdin" | "stdinOpen">;
}

/** Where a command writes to. */
interface Output {
  readonly stdout: Pipe;
  readonly stderr: Pipe;
}

/** Starts a command in a session and process group of its own, on pipes; see `startProcess`. Never rejects. */
export async function spawnCommand(
  start: Start,
  context: SpawnContext,
  signal: AbortSignal,
): Promise<Process | Refused | Lost> {
  const started = await startProcess(() => prepare(start, context), context, signal);
  if (!("pid" in started)) return started;
  const { pid, exit, sockets, prepared } = started;
  const [stdin = null, out, err] = sockets;
  const stdout = prepared.output?.stdout.ours ?? out;
  const stderr = prepared.output?.stderr.ours ?? err;
  if (!stdout || !stderr) throw new TypeError("there is no pipe where one was asked for");
  return { pid, exit, stdin, stdout, stderr };
}

async function prepare(
  { program, args, cwd, escaped, env, trusted, input }: Start,
  { user, pipes }: SpawnContext,
): Promise<Prepared & { output: Output | undefined }> {
  const output = await openOutput(pipes);
  const drop = (): void => {
    output?.stdout.ours.destroy();
    output?.stderr.ours.destroy();
  };
  const stdin = inputOf(input);
  const descriptors = [stdin, output?.stdout.theirs, output?.stderr.theirs].filter(
    (end) => typeof end === "number",
  );
  const close = (): void => {
    for (const descriptor of descriptors) closeSync(descriptor);
  };
  try {
    // To whom they do not belong they can't be opened by name (`echo >/dev/stderr`).
    if (user !== undefined) for (const descriptor of descriptors) fchownSync(descriptor, user.uid, user.gid);
  } catch (error) {
    close();
    drop();
    throw error;
  }
  return {
    launch: { program, args, cwd, escaped, env, user, trusted },
    stdio: [stdin, output?.stdout.theirs ?? "pipe", output?.stderr.theirs ?? "pipe"],
    close,
    drop,
    output,
  };
}

/** Undefined where there are no pipes: sockets do it then. */
async function openOutput(pipes: PipePool): Promise<Output | undefined> {
  const stdout = await pipes.take();
  if (stdout === undefined) return undefined;
  const stderr = await pipes.take();
  if (stderr !== undefined) return { stdout, stderr };
  stdout.ours.destroy();
  closeSync(stdout.theirs);
  return undefined;
}

/** What the process reads from: nothing, a file that has it all, or a pipe that stays open. */
function inputOf({ stdin, stdinOpen }: Start["input"]): End {
  if (stdinOpen) return "pipe";
  if (stdin.length === 0) return "ignore";
  return stdinFile(stdin) ?? "pipe";
}
