import { onAbort } from "@cmdop/kit";
import { Agent as AgentService, type JobEvent } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { OnWaiting } from "../connection/waiting.ts";
import { jobEnd, jobStarted, unknownEnd } from "../terminal/events.ts";
import { type EventsMethod, follow, OutOfSight } from "../terminal/follow.ts";
import { cancelUntilHeard } from "../terminal/jobs-calls.ts";
import { leavable } from "../terminal/leavable.ts";
import { wireOffset } from "../terminal/offset.ts";
import type { JobEnd } from "../terminal/types.ts";
import { EventLines } from "./event-lines.ts";
import type { ResumeRunOptions, RunEnd, RunStreamEvent } from "./types.ts";

/** A run to follow, and the options for it. */
export interface FollowedRun
  extends Pick<ResumeRunOptions, "after" | "signal" | "reconnectWindowMs" | "onLink" | "onOffline"> {
  readonly runId: string;
  /** Starts the run, if it is a new one. */
  readonly start?: EventsMethod;
  readonly onWaiting?: OnWaiting | undefined;
}

/** Cancels a run and returns its end. */
export async function cancelRun(caller: MachineCaller, runId: string): Promise<RunEnd> {
  const { outcome } = await caller.invoke(
    "/cmdop.v1.Agent/Cancel",
    (call) => caller.client(AgentService).cancel({ runId }, call),
    { jobId: runId },
  );
  return runEnd(jobEnd(runId, outcome));
}

/**
 * Yields the events of a run, across lost connections. The run goes on when the reader stops reading;
 * aborting the signal cancels it.
 */
export function followRun(
  caller: MachineCaller,
  run: FollowedRun,
): AsyncGenerator<RunStreamEvent, void, void> {
  const leave = new AbortController();
  return leavable(events(caller, run, leave), () => leave.abort());
}

async function* events(
  caller: MachineCaller,
  { runId, start, after: from, signal, ...options }: FollowedRun,
  leave: AbortController,
): AsyncGenerator<RunStreamEvent, void, void> {
  const after = wireOffset(from);
  let position = Number(after);
  if (signal?.aborted && start !== undefined) {
    const reason = "canceled before it was sent";
    yield { type: "ended", after: position, ...runEnd(unknownEnd(runId, reason)), outcome: "canceled" };
    return;
  }
  const over = new AbortController();
  let failure: { readonly thrown: unknown } | undefined;
  const stopListening = onAbort(signal, () => {
    cancelUntilHeard(caller, () => cancelRun(caller, runId), over.signal).catch((thrown) => {
      failure = { thrown };
      leave.abort();
    });
  });
  const attach: EventsMethod = {
    path: "/cmdop.v1.Agent/Attach",
    open: (behind, call) => caller.client(AgentService).attach({ runId, after: behind }, call),
  };
  const lines = new EventLines();
  /** The end, yielded after the clean-up: a reader that stops there leaves nothing behind. */
  let last: RunStreamEvent | undefined;
  try {
    const job = { jobId: runId, after, attach, ...(start === undefined ? {} : { start }) };
    for await (const event of follow(caller, job, { ...options, leave: leave.signal })) {
      for (const known of streamEvents(runId, event, lines, position)) {
        position = known.after;
        if (known.type === "ended") last = known;
        else yield known;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof OutOfSight)) throw thrown;
    last = { type: "ended", after: position, ...runEnd(unknownEnd(runId, thrown.message)) };
  } finally {
    over.abort();
    stopListening();
  }
  if (failure !== undefined) throw failure.thrown;
  if (last !== undefined) yield last;
}

function* streamEvents(
  runId: string,
  { offset, kind }: JobEvent,
  lines: EventLines,
  position: number,
): Generator<RunStreamEvent> {
  switch (kind.case) {
    case "started": {
      const { pid: _pid, shell: _shell, ...started } = jobStarted(kind.value);
      yield { type: "started", runId, after: position, ...started };
      return;
    }
    case "output":
      yield* lines.add(offset, kind.value.data);
      return;
    case "dropped":
      lines.reset();
      yield {
        type: "dropped",
        bytes: Number(kind.value.bytes),
        after: Number(offset + kind.value.bytes),
      };
      return;
    case "ended":
      yield { type: "ended", after: Number(offset), ...runEnd(jobEnd(runId, kind.value.outcome)) };
      return;
    case undefined:
      return;
  }
}

function runEnd({ jobId: runId, outcome, reason, durationMs }: JobEnd): RunEnd {
  return { runId, outcome, reason, durationMs };
}
