import { closeSync, fchownSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Command } from "../exec/command.ts";
import { within } from "../within.ts";
import type { Environment } from "./environment.ts";
import type { Pipe, PipePool } from "./pipe-pool.ts";
import { type JobUser, runAs } from "./run-as.ts";
import type { Exit, Lost } from "./spawner.ts";
import { anyFailure } from "./start-failure.ts";
import { notBegun, type Program, type Refused, type StartContext, startProcess } from "./start-process.ts";
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
  readonly pipes: PipePool;
  /** Who commands run as, where it is not the agent's own user. */
  readonly user: JobUser | undefined;
  /** What the agent itself puts into a job's environment. */
  readonly environment: Environment;
}

/** What a command reads from and writes to. */
interface Ends {
  /** A descriptor that has all its input, nothing at all, or a pipe that stays open. */
  readonly stdin: number | "ignore" | "pipe";
  /** Where they are missing, Node makes sockets. */
  readonly output: { readonly stdout: Pipe; readonly stderr: Pipe } | undefined;
}

/** The program that runs a command. */
export function programOf({ run }: Command): readonly [program: string, ...args: string[]] {
  // After `--` a line that begins with a dash is still a command.
  if ("shell" in run) return ["/bin/sh", "-c", "--", run.shell];
  const [program = "", ...args] = run.argv;
  return [program, ...args];
}

/** Starts a command in a session and process group of its own, on pipes; see `startProcess`. Never rejects. */
export async function spawnCommand(
  command: Command,
  cwd: string,
  env: Environment,
  context: SpawnContext,
): Promise<Process | Refused | Lost> {
  const { user, environment, limits } = context;
  const [program, ...args] = programOf(command);
  let start: Program = { program, args, cwd, env };
  if (user !== undefined) {
    // What is started is not the program itself, so that its absence would look like an end of its own.
    const failure = await within(limits.startWaitMs, anyFailure(program, cwd, env));
    if (failure === undefined) return notBegun(limits.startWaitMs);
    if (failure !== null) return { failed: failure };
  }
  let ends: Ends;
  try {
    if (user !== undefined) start = runAs(user, start, environment);
    ends = openEnds(command, context.pipes);
    if (user !== undefined) giveTo(user, ends);
  } catch (error) {
    return { failed: error };
  }
  const { stdin, output } = ends;
  const stdio = [stdin, output?.stdout.theirs ?? "pipe", output?.stderr.theirs ?? "pipe"] as const;
  const started = await startProcess(start, stdio, context, (hasThem) => {
    closeTheirs(ends);
    if (!hasThem) closeOurs(ends);
  });
  if (!("pid" in started)) return started;
  const { pid, exit, pipes } = started;
  const stdout = output?.stdout.ours ?? pipes.stdout;
  const stderr = output?.stderr.ours ?? pipes.stderr;
  if (stdout === null || stderr === null) throw new TypeError("Node made no pipe where it was asked to");
  return { pid, exit, stdin: pipes.stdin, stdout, stderr };
}

function openEnds(command: Command, pipes: PipePool): Ends {
  const stdin = inputOf(command);
  let stdout: Pipe | undefined;
  try {
    stdout = pipes.take();
    const stderr = stdout && pipes.take();
    if (stdout !== undefined && stderr !== undefined) return { stdin, output: { stdout, stderr } };
    if (stdout !== undefined) closePipe(stdout);
    return { stdin, output: undefined };
  } catch (error) {
    if (stdout !== undefined) closePipe(stdout);
    if (typeof stdin === "number") closeSync(stdin);
    throw error;
  }
}

/** To whom they do not belong they can't be opened by name (`echo >/dev/stderr`). */
function giveTo({ uid, gid }: JobUser, { stdin, output }: Ends): void {
  if (typeof stdin === "number") fchownSync(stdin, uid, gid);
  if (output === undefined) return;
  fchownSync(output.stdout.theirs, uid, gid);
  fchownSync(output.stderr.theirs, uid, gid);
}

/** What the process reads from: nothing, a file that has it all, or a pipe that stays open. */
function inputOf({ stdin, stdinOpen }: Command): Ends["stdin"] {
  if (stdinOpen) return "pipe";
  if (stdin.length === 0) return "ignore";
  return stdinFile(stdin) ?? "pipe";
}

/** Closes what the process has by now. */
function closeTheirs({ stdin, output }: Ends): void {
  if (typeof stdin === "number") closeSync(stdin);
  if (output === undefined) return;
  closeSync(output.stdout.theirs);
  closeSync(output.stderr.theirs);
}

function closeOurs({ output }: Ends): void {
  output?.stdout.ours.destroy();
  output?.stderr.ours.destroy();
}

function closePipe({ ours, theirs }: Pipe): void {
  ours.destroy();
  closeSync(theirs);
}
