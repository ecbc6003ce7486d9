import { type Command, workingDirectory } from "./command.ts";
import { type Environment, JOB_ID_VARIABLE } from "./environment.ts";
import type { HeldPipes } from "./held-pipes.ts";
import type { Journal } from "./journal.ts";
import type { JobLimits } from "./limits.ts";
import type { Outcome, StopCause } from "./outcome.ts";
import { Output } from "./output.ts";
import { endProcesses, signalGroup } from "./process-group.ts";
import { type Process, type SpawnContext, spawnCommand } from "./spawn.ts";
import type { Exit } from "./spawner.ts";
import { StandardInput } from "./standard-input.ts";
import { startFailure } from "./start-failure.ts";
import { within } from "./within.ts";
import type { Work } from "./work.ts";

/** What a command needs from around it. */
export interface RunContext extends SpawnContext {
  readonly jobId: string;
  readonly journal: Journal;
  readonly environment: Environment;
  readonly heldPipes: HeldPipes;
  readonly limits: JobLimits;
}

/** Runs a command on pipes in its own process group; its start has been asked for when this returns. */
export function runCommand(command: Command, context: RunContext): Work {
  const { jobId, journal, heldPipes, limits } = context;
  const env = { ...context.environment, ...command.env, [JOB_ID_VARIABLE]: jobId };
  const cwd = workingDirectory(command.cwd, context.environment.HOME ?? "/");
  const spawnedAt = performance.now();
  const sinceSpawn = (): number => performance.now() - spawnedAt;

  const stop = Promise.withResolvers<StopCause>();
  const timer =
    command.timeoutMs > 0
      ? setTimeout(() => {
          stop.resolve({ kind: "timed_out", reason: `Its time limit of ${command.timeoutMs} ms passed.` });
        }, command.timeoutMs)
      : undefined;
  // What is sent before there is a process is kept for it, one of a kind, as the kernel does it.
  const early = new Set<NodeJS.Signals>();
  let sendSignal = (name: NodeJS.Signals): boolean => {
    early.add(name);
    return true;
  };

  const started = spawnCommand(command, cwd, env, context).then((spawned) => {
    if (!("pid" in spawned)) return spawned;
    const { pid, stdin } = spawned;
    const output = new Output(spawned, journal, limits);
    const input =
      stdin === null
        ? undefined
        : new StandardInput(stdin, {
            first: command.stdin,
            open: command.stdinOpen,
            maxWriters: limits.maxInputWriters,
          });
    sendSignal = (name) => signalGroup(pid, name);
    for (const name of early) sendSignal(name);
    return { ...spawned, output, input };
  });

  const conclude = async (): Promise<Outcome> => {
    const process = await started;
    if ("failed" in process) {
      const reason = await startFailure(process.failed, command, cwd, env);
      return { kind: "failed_to_start", reason, durationMs: sinceSpawn() };
    }
    if ("lost" in process) return lost(undefined, process.lost, context, sinceSpawn);
    // All endings race here, and here alone: the first reason wins.
    const first = await Promise.race([process.exit, stop.promise]);
    const durationMs = sinceSpawn();
    sendSignal = () => false;
    clearTimeout(timer);
    const outcome =
      "kind" in first
        ? await stopped(process, first, context, sinceSpawn)
        : "lost" in first
          ? await lost(process.pid, first.lost, context, sinceSpawn)
          : ended(first, durationMs);
    const open = await process.output.rest();
    process.input?.close();
    for (const pipe of open) {
      // What the job left behind after its own end lives on; what we ended has nothing more to say.
      if (outcome.kind === "exited" || outcome.kind === "signaled") heldPipes.add(pipe);
      else pipe.destroy();
    }
    return outcome;
  };

  return {
    pid: started.then((process) => ("pid" in process ? process.pid : 0)),
    input: started.then((process) => ("pid" in process && command.stdinOpen ? process.input : undefined)),
    outcome: conclude()
      .catch((error): Outcome => {
        const reason = `The agent failed while it waited for the end: ${String(error)}`;
        return { kind: "unknown", reason, durationMs: sinceSpawn() };
      })
      .finally(() => clearTimeout(timer)),
    stop: stop.resolve,
    signal: (name) => sendSignal(name),
  };
}

function ended({ code, signal }: Exit, durationMs: number): Outcome {
  if (signal !== null) return { kind: "signaled", signal, durationMs };
  if (code !== null) return { kind: "exited", exitCode: code, durationMs };
  return { kind: "unknown", reason: "The system reported neither an exit code nor a signal.", durationMs };
}

/** Nobody can tell how it ends any more, so what is left of it must not go on unseen. */
async function lost(
  pid: number | undefined,
  reason: string,
  { jobId, limits }: RunContext,
  sinceSpawn: () => number,
): Promise<Outcome> {
  const gone = await endProcesses(pid, jobId, limits);
  return {
    kind: "unknown",
    reason: `${reason} ${gone ? "What was left of the command has been ended; how far it came is not known." : remains(limits)}`,
    durationMs: sinceSpawn(),
  };
}

async function stopped(
  { pid, exit }: Process,
  { kind, reason }: StopCause,
  { jobId, limits }: RunContext,
  sinceSpawn: () => number,
): Promise<Outcome> {
  const gone = await endProcesses(pid, jobId, limits);
  if (!gone) return { kind: "unknown", reason: `${reason} ${remains(limits)}`, durationMs: sinceSpawn() };
  // Nothing of it runs any more; how its leader ended is told at once, if anybody is left to tell.
  const end = await within(limits.killWaitMs, exit);
  const signal = end !== undefined && "signal" in end ? (end.signal ?? undefined) : undefined;
  return { kind, reason, signal, durationMs: sinceSpawn() };
}

function remains({ killWaitMs }: JobLimits): string {
  return `But some of its processes are still there ${killWaitMs} ms after SIGKILL: they hang in the kernel, or run as another user.`;
}
