import { closeSync } from "node:fs";
import { within } from "@cmdop/kit";
import { pathBytes } from "@cmdop/proto";
import type { JobLimits } from "../limits.ts";
import { type End, type Forked, forkBySpawner, forkDirectly, type Refused } from "./fork.ts";
import type { HungStarts } from "./hung-starts.ts";
import { type Launch, MARK_DESCRIPTOR, needsBytes, throughShell } from "./launch.ts";
import { Mark } from "./mark.ts";
import type { PipePool } from "./pipe-pool.ts";
import type { Spawner } from "./spawner.ts";
import type { Lost } from "./spawner-child.ts";
import { launchFailure, startHung } from "./start-failure.ts";
import { endUnborn, isLauncher } from "./unborn.ts";

/** How long a start may keep others from theirs: a fork takes a millisecond, and whatever hangs is not to be waited for. */
const TURN_MS = 2_000;

/** A program and what it begins with, ready to be started. */
export interface Prepared {
  readonly launch: Launch;
  /** Standard input, output and error. */
  readonly stdio: readonly [End, End, End];
  /** Closes the descriptors in `stdio`: the process has them by then, or never will. */
  close(): void;
  /** Closes the agent's ends, where nothing comes of it. */
  drop(): void;
}

/** With what processes are started. */
export interface StartContext {
  /** The key whose job it is. */
  readonly keyId: string;
  readonly spawner: Spawner;
  readonly pipes: PipePool;
  readonly hungStarts: HungStarts;
  /** Waits until it is the key's turn to start something; rejects when the signal aborts. */
  readonly turn: (signal: AbortSignal) => Promise<Disposable>;
  /** Whether something on this machine may keep waiting whoever touches it. */
  readonly mayHang: () => boolean;
  readonly limits: Pick<JobLimits, "startWaitMs" | "killGraceMs" | "killWaitMs">;
}

/** A process that may be on its way to its program still. */
interface Launched extends Forked {
  /** Absent where it has begun for certain. */
  readonly mark: Mark | undefined;
}

/**
 * Starts a program when it is its key's turn; where something may hang, by a shell that
 * becomes it. The agent looks at no path, neither before nor after. Aborting the signal
 * gives it up: it is `failed` then where it is certain that it never runs. Never rejects.
 */
export async function startProcess<P extends Prepared>(
  prepare: () => Promise<P>,
  context: StartContext,
  signal: AbortSignal,
): Promise<(Forked & { readonly prepared: P }) | Refused | Lost> {
  const hung = context.hungStarts.refusal(context.keyId);
  if (hung !== undefined) return { failed: hung };
  try {
    using turn = await context.turn(signal);
    const isOver = setTimeout(() => turn[Symbol.dispose](), TURN_MS);
    const prepared = await prepare();
    const forked = await launch(prepared, context, signal, turn).finally(() => clearTimeout(isOver));
    if ("pid" in forked) return { ...forked, prepared };
    prepared.drop();
    return forked;
  } catch (error) {
    if (signal.aborted) return { failed: "It was not started: it had not been its turn." };
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

async function launch(
  prepared: Prepared,
  context: StartContext,
  signal: AbortSignal,
  turn: Disposable,
): Promise<Forked | Refused | Lost> {
  const { limits, hungStarts, keyId } = context;
  const { program, cwd } = prepared.launch;
  const launchedAtMs = performance.now();
  const launched = await begin(prepared, context, signal);
  // Whoever is on its way keeps nobody else from theirs.
  turn[Symbol.dispose]();
  if (!("pid" in launched) || launched.mark === undefined) return launched;

  const { mark, exit, pid } = launched;
  const said = await within(mark.said, limits.startWaitMs, { signal });
  mark.close();
  if (said === "") return launched;
  if (said === undefined) {
    // Where it has only been slow, or has begun just now, it goes on.
    if (!endUnborn(pid, isLauncher)) return launched;
    hungStarts.add(keyId, exit);
    return { failed: startHung(prepared.launch, performance.now() - launchedAtMs) };
  }
  // Its own end, which follows at once.
  await within(exit, limits.killWaitMs);
  return { failed: launchFailure(said, program, cwd) };
}

async function begin(
  prepared: Prepared,
  { spawner, pipes, mayHang, limits }: StartContext,
  signal: AbortSignal,
): Promise<Launched | Refused | Lost> {
  const { launch, stdio } = prepared;
  const isByShell =
    launch.user !== undefined || launch.terminal !== undefined || needsBytes(launch) || mayHang();
  const pipe = isByShell ? await pipes.take("output") : undefined;
  const close = (): void => {
    prepared.close();
    if (pipe !== undefined) closeSync(pipe.theirs);
  };
  const ends = isByShell ? [...stdio, pipe?.theirs ?? ("pipe" as const)] : stdio;
  const program = isByShell ? throughShell(launch) : { ...launch, cwd: pathBytes(launch.cwd).toString() };
  const options = { limits, signal, close };
  const forked = await (spawner.enabled
    ? forkBySpawner(spawner, program, ends, options)
    : forkDirectly(program, ends, options));
  if (!("pid" in forked)) {
    pipe?.ours.destroy();
    return forked;
  }
  const ours = pipe?.ours ?? forked.sockets[MARK_DESCRIPTOR];
  return { ...forked, mark: ours ? new Mark(ours) : undefined };
}
