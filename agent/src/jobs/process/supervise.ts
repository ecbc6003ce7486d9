import { within } from "@cmdop/kit";
import type { JobLimits } from "../limits.ts";
import type { Outcome, StopCause } from "../outcome.ts";
import type { Work } from "../work.ts";
import type { Refused } from "./fork.ts";
import { MAY_STILL_RUN, type Remains, sayRemains } from "./process-group.ts";
import type { Lost } from "./spawner-child.ts";
import type { Exit } from "./spawner-messages.ts";

/** A process, as far as its life goes. */
interface Living {
  readonly pid: number;
  readonly exit: Promise<Exit | Lost>;
}

/** What is particular to a kind of process: all else about a process's life is the same. */
export interface Life<P extends Living> {
  /** Gives up when the signal aborts, where it can. Never rejects. */
  start(signal: AbortSignal): Promise<P | Refused | Lost>;
  /** Asks for the end when its time has come; the returned function stops the watch. */
  watch(stop: (cause: StopCause) => void): () => void;
  /** Sends a signal to where this kind of process expects it; false where nothing is left of it. */
  signal(process: P, name: NodeJS.Signals): boolean;
  /** Ends all of it, also where no process is known. */
  end(): Promise<Remains>;
  /** Takes in what it wrote before its end, and lets go of it. */
  finish(process: P, outcome: Outcome): Promise<void>;
}

/** A life that goes on. */
export interface Supervised<P> extends Pick<Work, "pid" | "outcome" | "stop" | "signal"> {
  /** Undefined where it could not be started. Never rejects. */
  readonly process: Promise<P | undefined>;
}

/** Starts a process and sees to its end; the start has been asked for when this returns. */
export function supervise<P extends Living>(
  life: Life<P>,
  limits: Pick<JobLimits, "killWaitMs">,
): Supervised<P> {
  const spawnedAt = performance.now();
  const sinceSpawn = (): number => Math.round((performance.now() - spawnedAt) * 1000) / 1000;
  const stop = Promise.withResolvers<StopCause>();
  const giveUp = new AbortController();
  const askForEnd = (cause: StopCause): void => {
    stop.resolve(cause);
    giveUp.abort();
  };
  const endWatch = life.watch(askForEnd);
  // What is sent before there is a process is kept for it, one of a kind, as the kernel does it.
  const early = new Set<NodeJS.Signals>();
  let sendSignal = (name: NodeJS.Signals): boolean => {
    early.add(name);
    return true;
  };

  const started = life.start(giveUp.signal).then((process) => {
    if (!("pid" in process)) return process;
    sendSignal = (name) => life.signal(process, name);
    for (const name of early) sendSignal(name);
    return process;
  });

  /** Nobody can tell how it ends any more, so what is left of it must not go on unseen. */
  const lost = async (reason: string): Promise<Outcome> => {
    const ended = sayRemains(await life.end(), limits);
    return {
      kind: "unknown",
      reason: `${reason} How far it came is not known. ${ended}`,
      durationMs: sinceSpawn(),
    };
  };

  const stopped = async (process: P, { kind, reason }: StopCause): Promise<Outcome> => {
    const remains = await life.end();
    if (remains === "processes") {
      return {
        kind: "unknown",
        reason: `${reason} ${sayRemains(remains, limits)}`,
        durationMs: sinceSpawn(),
      };
    }
    // Nothing of it is seen any more; how its leader ended is told at once, if anybody is left to tell.
    const end = await within(process.exit, limits.killWaitMs);
    const signal = end !== undefined && "signal" in end ? (end.signal ?? undefined) : undefined;
    return {
      kind,
      reason: remains === "nothing" ? reason : `${reason} ${MAY_STILL_RUN}`,
      signal,
      durationMs: sinceSpawn(),
    };
  };

  const conclude = async (): Promise<Outcome> => {
    const process = await started;
    if ("failed" in process) {
      const durationMs = sinceSpawn();
      if (!giveUp.signal.aborted) return { kind: "failed_to_start", reason: process.failed, durationMs };
      const { kind, reason } = await stop.promise;
      return { kind, reason: `${reason} ${process.failed}`, durationMs };
    }
    if ("lost" in process) return lost(process.lost);
    // All endings race here, and here alone: the first reason wins.
    const first = await Promise.race([process.exit, stop.promise]);
    const durationMs = sinceSpawn();
    sendSignal = () => false;
    endWatch();
    const outcome =
      "kind" in first
        ? await stopped(process, first)
        : "lost" in first
          ? await lost(first.lost)
          : ended(first, durationMs);
    await life.finish(process, outcome);
    return outcome;
  };

  return {
    process: started.then((process) => ("pid" in process ? process : undefined)),
    pid: started.then((process) => ("pid" in process ? process.pid : 0)),
    outcome: conclude()
      .catch((error): Outcome => {
        const reason = `The agent failed while it waited for the end: ${String(error)}`;
        return { kind: "unknown", reason, durationMs: sinceSpawn() };
      })
      .finally(endWatch),
    stop: askForEnd,
    signal: (name) => sendSignal(name),
  };
}

function ended({ code, signal }: Exit, durationMs: number): Outcome {
  if (signal !== null) return { kind: "signaled", signal, durationMs };
  if (code !== null) return { kind: "exited", exitCode: code, durationMs };
  return { kind: "unknown", reason: "The system reported neither an exit code nor a signal.", durationMs };
}
