import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Command } from "./command.ts";
import type { Environment } from "./environment.ts";
import type { JobLimits } from "./limits.ts";
import type { Pipe, PipePool } from "./pipe-pool.ts";
import { signalGroup } from "./process-group.ts";
import type { Exit, Lost, Spawner } from "./spawner.ts";
import { stdinFile } from "./stdin-file.ts";
import { within } from "./within.ts";

/** A process that runs, the leader of a process group of its own. */
export interface Process {
  readonly pid: number;
  /** Null where the process has all its input already. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<Exit | Lost>;
}

/** The system refused to start it: what Node says (see `startFailure` for what it means). */
export interface Refused {
  readonly failed: unknown;
}

/** With what processes are started. */
export interface SpawnContext {
  readonly pipes: PipePool;
  readonly spawner: Spawner;
  readonly limits: Pick<JobLimits, "startWaitMs">;
}

/** A program, and all that it gets. */
interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Environment;
}

/** What a process reads from and writes to. */
interface Ends {
  /** A descriptor that has all its input, nothing at all, or a pipe that stays open. */
  readonly stdin: number | "ignore" | "pipe";
  /** Where they are missing, Node makes sockets. */
  readonly output: { readonly stdout: Pipe; readonly stderr: Pipe } | undefined;
}

/**
 * Starts a command in a session and process group of its own, on pipes. Nothing
 * is looked at beforehand. Without a spawner it has been started when this
 * returns. Never rejects.
 */
export async function spawnCommand(
  command: Command,
  cwd: string,
  env: Environment,
  { pipes, spawner, limits }: SpawnContext,
): Promise<Process | Refused | Lost> {
  const [program = "", ...args] =
    // After `--` a line that begins with a dash is still a command.
    "shell" in command.run ? ["/bin/sh", "-c", "--", command.run.shell] : command.run.argv;
  const what = { program, args, cwd, env };
  let ends: Ends;
  try {
    ends = openEnds(command, pipes);
  } catch (error) {
    return { failed: error };
  }
  const { stdin, output } = ends;
  // The one place that decides. What the spawner is given, it opens by way of /proc: no sockets.
  if (stdin === "pipe" || output === undefined) return spawnDirectly(what, ends);
  const stdio = [stdin === "ignore" ? null : stdin, output.stdout.theirs, output.stderr.theirs] as const;
  const asked = spawner.start({ ...what, stdio });
  if (asked === undefined) return spawnDirectly(what, ends);

  const answer = await within(limits.startWaitMs, asked);
  if (answer === undefined) {
    // The descriptors are the spawner's until it answers, and nobody waits for the process any more.
    asked.then((late) => {
      if ("pid" in late) signalGroup(late.pid, "SIGKILL");
      closeAll(ends);
    });
    return {
      lost: `It had not begun ${limits.startWaitMs} ms after it was asked for: its program or its directory may lie on a file system that hangs.`,
    };
  }
  if ("unable" in answer) return spawnDirectly(what, ends);
  if (!("pid" in answer)) {
    closeAll(ends);
    return answer;
  }
  closeTheirs(ends);
  return { ...answer, stdin: null, stdout: output.stdout.ours, stderr: output.stderr.ours };
}

async function spawnDirectly({ program, args, cwd, env }: Program, ends: Ends): Promise<Process | Refused> {
  const { stdin, output } = ends;
  const stdio: StdioOptions = [stdin, output?.stdout.theirs ?? "pipe", output?.stderr.theirs ?? "pipe"];
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd, env, detached: true, stdio });
  } catch (error) {
    closeAll(ends);
    return { failed: error };
  }
  closeTheirs(ends);
  const { pid } = child;
  const stdout = output?.stdout.ours ?? child.stdout;
  const stderr = output?.stderr.ours ?? child.stderr;
  if (pid === undefined || stdout === null || stderr === null) {
    stdout?.destroy();
    stderr?.destroy();
    return { failed: await new Promise((resolve) => child.once("error", resolve)) };
  }
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { pid, stdin: child.stdin, stdout, stderr, exit };
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

function closeAll(ends: Ends): void {
  closeTheirs(ends);
  ends.output?.stdout.ours.destroy();
  ends.output?.stderr.ours.destroy();
}

function closePipe({ ours, theirs }: Pipe): void {
  ours.destroy();
  closeSync(theirs);
}
