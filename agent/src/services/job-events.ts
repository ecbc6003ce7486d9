import { Channel, OutcomeKind, JobKind as WireJobKind } from "@cmdop/proto";
import type { Job, JobEvent, JobKind, Outcome, Requester } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";

/** Converts a caller for the jobs core. */
export function requesterOf({ keyId, scopes, startsCanceled }: Caller): Requester {
  return { keyId, admin: scopes.has("admin"), startsCanceled };
}

/**
 * Follows a job's events. A command waits for readers of its own key; other readers may lose output, but
 * never delay it. Sessions and runs wait for nobody.
 */
export function follow(
  job: Job,
  { keyId }: Requester,
  after: bigint,
  attached: boolean,
  signal: AbortSignal,
): AsyncIterable<JobEvent> {
  const { identity } = job;
  const holds = identity.kind === "exec" && identity.keyId === keyId;
  return job.events({ after, attached, holds, signal });
}

const CHANNELS = { stdout: Channel.STDOUT, stderr: Channel.STDERR, events: Channel.EVENTS } as const;

/** Job kinds of the wire. */
export const JOB_KINDS = {
  exec: WireJobKind.EXEC,
  session: WireJobKind.SESSION,
  run: WireJobKind.RUN,
} as const satisfies Record<JobKind, WireJobKind>;

const OUTCOME_KINDS = {
  exited: OutcomeKind.EXITED,
  signaled: OutcomeKind.SIGNALED,
  timed_out: OutcomeKind.TIMED_OUT,
  canceled: OutcomeKind.CANCELED,
  failed_to_start: OutcomeKind.FAILED_TO_START,
  unknown: OutcomeKind.UNKNOWN,
  completed: OutcomeKind.COMPLETED,
  failed: OutcomeKind.FAILED,
} as const satisfies Record<Outcome["kind"], OutcomeKind>;

/** Converts an outcome for the wire. */
export function wireOutcome(outcome: Outcome) {
  return {
    kind: OUTCOME_KINDS[outcome.kind],
    durationMs: outcome.durationMs,
    reason: "reason" in outcome ? outcome.reason : "",
    ...("exitCode" in outcome ? { exitCode: outcome.exitCode } : {}),
    ...("signal" in outcome && outcome.signal !== undefined ? { signal: outcome.signal } : {}),
  };
}

/** Converts an event for the wire. */
export function wireEvent(event: JobEvent) {
  const { offset } = event;
  switch (event.kind) {
    case "started": {
      const { kind: _kind, offset: _offset, shell = "", ...rest } = event;
      const value = { ...rest, shell };
      return { offset, kind: { case: "started", value } } as const;
    }
    case "output": {
      const value = { channel: CHANNELS[event.channel], data: event.bytes };
      return { offset, kind: { case: "output", value } } as const;
    }
    case "dropped":
      return { offset, kind: { case: "dropped", value: { bytes: event.bytes } } } as const;
    case "ended":
      return { offset, kind: { case: "ended", value: { outcome: wireOutcome(event.outcome) } } } as const;
  }
}
