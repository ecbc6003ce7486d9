import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { JobLimits } from "../limits.ts";
import { within } from "../within.ts";
import type { Environment } from "./environment.ts";
import { covered } from "./private-descriptors.ts";
import { signalGroup } from "./process-group.ts";
import type { Exit, Lost, Spawner } from "./spawner.ts";

/** A program, and all that it gets. */
export interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Environment;
}

/** What a process reads from or writes to: a descriptor, nothing, or a pipe (or socket) that Node makes. */
export type End = number | "ignore" | "pipe";

/** A process that runs, the leader of a session and process group of its own. */
export interface Started {
  readonly pid: number;
  readonly exit: Promise<Exit | Lost>;
  /** Our sides of what Node made; null for the rest. */
  readonly pipes: {
    readonly stdin: Writable | null;
    readonly stdout: Readable | null;
    readonly stderr: Readable | null;
  };
}

/** The system refused to start it: what Node says (see `startFailure` for what it means). */
export interface Refused {
  readonly failed: unknown;
}

/** With what processes are started. */
export interface StartContext {
  readonly spawner: Spawner;
  readonly limits: Pick<JobLimits, "startWaitMs">;
}

const NO_PIPES = { stdin: null, stdout: null, stderr: null } as const;

/**
 * Starts a program, by the spawner where it can do it. Nothing is looked at
 * beforehand. Without a spawner it has been started when this returns.
 * `settled` is called as soon as the descriptors are no longer needed, and told
 * whether a process has them; that may be later than the answer. Never rejects.
 */
export async function startProcess(
  program: Program,
  stdio: readonly [End, End, End],
  { spawner, limits }: StartContext,
  settled: (started: boolean) => void = () => undefined,
): Promise<Started | Refused | Lost> {
  const directly = async (): Promise<Started | Refused> => {
    const answer = startDirectly(program, stdio);
    settled("pid" in answer);
    return "child" in answer ? { failed: await refusal(answer.child) } : answer;
  };
  // The one place that decides. What the spawner is given, it opens by way of /proc: no sockets.
  const [stdin, stdout, stderr] = stdio;
  if (stdin === "pipe" || stdout === "pipe" || stderr === "pipe") return directly();
  const asked = spawner.start({ ...program, stdio: [orNull(stdin), orNull(stdout), orNull(stderr)] });
  if (asked === undefined) return directly();

  const answer = await within(limits.startWaitMs, asked);
  if (answer === undefined) {
    // The descriptors are the spawner's until it answers, and nobody waits for the process any more.
    asked.then((late) => {
      if ("pid" in late) signalGroup(late.pid, "SIGKILL");
      settled(false);
    });
    return notBegun(limits.startWaitMs);
  }
  if ("unable" in answer) return directly();
  settled("pid" in answer);
  return "pid" in answer ? { ...answer, pipes: NO_PIPES } : answer;
}

/** What takes so long is not waited for. */
export function notBegun(startWaitMs: number): Lost {
  return {
    lost: `It had not begun ${startWaitMs} ms after it was asked for: its program or its directory may lie on a file system that hangs.`,
  };
}

function startDirectly(
  { program, args, cwd, env }: Program,
  stdio: readonly [End, End, End],
): Started | Refused | { readonly child: ChildProcess } {
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd, env, detached: true, stdio: covered(stdio) });
  } catch (error) {
    return { failed: error };
  }
  const { pid, stdin, stdout, stderr } = child;
  if (pid === undefined) {
    stdout?.destroy();
    stderr?.destroy();
    return { child };
  }
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { pid, exit, pipes: { stdin, stdout, stderr } };
}

function refusal(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("error", resolve));
}

function orNull(end: number | "ignore"): number | null {
  return end === "ignore" ? null : end;
}
