import { closeSync, fchownSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Command } from "../exec/command.ts";
import type { Environment } from "./environment.ts";
import type { Refused } from "./fork.ts";
import type { Pipe, PipePool } from "./pipe-pool.ts";
import type { JobUser } from "./run-as.ts";
import type { Lost } from "./spawner-child.ts";
import type { Exit } from "./spawner-messages.ts";
import { type Prepared, type StartContext, startProcess } from "./start-process.ts";

/** A command that runs on pipes, the leader of a process group of its own. */
export interface Process {
  readonly pid: number;
  readonly cgroup?: string | undefined;
  /** Null where the process has no input. */
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

/** What a command reads and writes; without input it reads nothing. */
interface Pipes {
  readonly stdin: Pipe | undefined;
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
  const { pid, cgroup, exit, sockets, prepared } = started;
  const [stdin = null, stdout, stderr] = prepared.pipes === undefined ? sockets : agentEnds(prepared.pipes);
  if (!stdout || !stderr) throw new TypeError("there is no pipe where one was asked for");
  return { pid, cgroup, exit, stdin, stdout, stderr };
}

async function prepare(
  { program, args, cwd, escaped, env, trusted, input }: Start,
  { user, pipes: pool }: SpawnContext,
): Promise<Prepared & { pipes: Pipes | undefined }> {
  const hasInput = input.stdinOpen || input.stdin.length > 0;
  const pipes = await openPipes(pool, hasInput);
  const descriptors = pipes === undefined ? [] : all(pipes).map(({ theirs }) => theirs);
  const drop = (): void => {
    if (pipes !== undefined) for (const { ours } of all(pipes)) ours.destroy();
  };
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
    stdio: [
      hasInput ? (pipes?.stdin?.theirs ?? "pipe") : "ignore",
      pipes?.stdout.theirs ?? "pipe",
      pipes?.stderr.theirs ?? "pipe",
    ],
    close,
    drop,
    pipes,
  };
}

/** Undefined where there are no pipes: sockets do it then. */
async function openPipes(pool: PipePool, hasInput: boolean): Promise<Pipes | undefined> {
  const stdin = hasInput ? await pool.take("input") : undefined;
  const stdout = await pool.take("output");
  const stderr = await pool.take("output");
  if (stdout !== undefined && stderr !== undefined && (stdin !== undefined || !hasInput)) {
    return { stdin, stdout, stderr };
  }
  for (const pipe of [stdin, stdout, stderr]) {
    if (pipe === undefined) continue;
    pipe.ours.destroy();
    closeSync(pipe.theirs);
  }
  return undefined;
}

function all({ stdin, stdout, stderr }: Pipes): Pipe[] {
  return stdin === undefined ? [stdout, stderr] : [stdin, stdout, stderr];
}

function agentEnds({ stdin, stdout, stderr }: Pipes): (Socket | null)[] {
  return [stdin?.ours ?? null, stdout.ours, stderr.ours];
}
