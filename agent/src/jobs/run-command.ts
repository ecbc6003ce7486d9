import { type Command, workingDirectory } from "./command.ts";
import { type Environment, JOB_ID_VARIABLE } from "./environment.ts";
import type { HeldPipes } from "./held-pipes.ts";
import type { Journal } from "./journal.ts";
import type { JobLimits } from "./limits.ts";
import type { Outcome, StopCause } from "./outcome.ts";
import { Output } from "./output.ts";
import type { PipePool } from "./pipe-pool.ts";
import { endProcesses, signalGroup } from "./process-group.ts";
import { type Exit, type Process, spawnCommand } from "./spawn.ts";
import { StandardInput } from "./standard-input.ts";
import { startFailure } from "./start-failure.ts";
import { type Work, workWithout } from "./work.ts";

/** What a command needs from around it. */
export interface RunContext {
  readonly jobId: string;
  readonly journal: Journal;
  readonly environment: Environment;
  readonly pipes: PipePool;
  readonly heldPipes: HeldPipes;
  readonly limits: JobLimits;
}

/** Runs a command on pipes in its own process group; it has been spawned when this returns. */
export function runCommand(command: Command, context: RunContext): Work {
  const { jobId, journal, heldPipes, limits } = context;
  const env = { ...context.environment, ...command.env, [JOB_ID_VARIABLE]: jobId };
  const cwd = workingDirectory(command.cwd, context.environment.HOME ?? "/");
  const spawnedAt = performance.now();
  const sinceSpawn = (): number => performance.now() - spawnedAt;

  const spawned = spawnCommand(command, cwd, env, context.pipes);
  if ("failed" in spawned) {
    const failed = spawned.failed.then(async (error): Promise<Outcome> => {
      const reason = await startFailure(error, command, cwd, env);
      return { kind: "failed_to_start", reason, durationMs: sinceSpawn() };
    });
    return workWithout(failed);
  }

  const output = new Output(spawned, journal, limits);
  const input =
    spawned.stdin === null
      ? undefined
      : new StandardInput(spawned.stdin, {
          first: command.stdin,
          open: command.stdinOpen,
          maxWriters: limits.maxInputWriters,
        });
  const stop = Promise.withResolvers<StopCause>();
  const timer =
    command.timeoutMs > 0
      ? setTimeout(() => {
          stop.resolve({ kind: "timed_out", reason: `Its time limit of ${command.timeoutMs} ms passed.` });
        }, command.timeoutMs)
      : undefined;
  let running = true;

  const conclude = async (): Promise<Outcome> => {
    // All endings race here, and here alone: the first reason wins.
    const first = await Promise.race([spawned.exit, stop.promise]);
    const durationMs = sinceSpawn();
    running = false;
    clearTimeout(timer);
    const outcome =
      "kind" in first ? await stopped(spawned, first, context, sinceSpawn) : ended(first, durationMs);
    const open = await output.rest();
    input?.close();
    for (const pipe of open) {
      // What the job left behind after its own end lives on; what we ended has nothing more to say.
      if (outcome.kind === "exited" || outcome.kind === "signaled") heldPipes.add(pipe);
      else pipe.destroy();
    }
    return outcome;
  };

  return {
    pid: spawned.pid,
    input: command.stdinOpen ? input : undefined,
    outcome: conclude().catch((error): Outcome => {
      const reason = `The agent failed while it waited for the end: ${String(error)}`;
      return { kind: "unknown", reason, durationMs: sinceSpawn() };
    }),
    stop: stop.resolve,
    signal: (name) => running && signalGroup(spawned.pid, name),
  };
}

function ended({ code, signal }: Exit, durationMs: number): Outcome {
  if (signal !== null) return { kind: "signaled", signal, durationMs };
  if (code !== null) return { kind: "exited", exitCode: code, durationMs };
  return { kind: "unknown", reason: "The system reported neither an exit code nor a signal.", durationMs };
}

async function stopped(
  { pid, exit }: Process,
  { kind, reason }: StopCause,
  { jobId, limits }: RunContext,
  sinceSpawn: () => number,
): Promise<Outcome> {
  const gone = await endProcesses(pid, jobId, limits);
  if (!gone) {
    return {
      kind: "unknown",
      reason: `${reason} But some of its processes are still there ${limits.killWaitMs} ms after SIGKILL: they hang in the kernel, or run as another user.`,
      durationMs: sinceSpawn(),
    };
  }
  const { signal } = await exit;
  return { kind, reason, signal: signal ?? undefined, durationMs: sinceSpawn() };
}
