import { Channel, type JobEvent, type Outcome, OutcomeKind } from "@cmdop/proto";
import { asBuffer } from "../as-buffer.ts";
import type { ExecEnd, ExecEvent, JobEnd, JobStarted, OutcomeName } from "./types.ts";

/** The wire's message that a job runs. */
type WireStarted = Extract<JobEvent["kind"], { case: "started" }>["value"];

const OUTCOME_NAMES: Readonly<Partial<Record<OutcomeKind, OutcomeName>>> = {
  [OutcomeKind.EXITED]: "exited",
  [OutcomeKind.SIGNALED]: "signaled",
  [OutcomeKind.TIMED_OUT]: "timed_out",
  [OutcomeKind.CANCELED]: "canceled",
  [OutcomeKind.FAILED_TO_START]: "failed_to_start",
  [OutcomeKind.UNKNOWN]: "unknown",
};

/** Converts an event of the wire to the SDK's form; undefined for one that this version does not know. */
export function execEvent(jobId: string, { offset, kind }: JobEvent): ExecEvent | undefined {
  switch (kind.case) {
    case "started":
      return { type: "started", jobId, ...jobStarted(kind.value) };
    case "output": {
      const type = kind.value.channel === Channel.STDERR ? "stderr" : "stdout";
      return { type, data: asBuffer(kind.value.data), offset: Number(offset) };
    }
    case "dropped":
      return { type: "dropped", bytes: Number(kind.value.bytes), offset: Number(offset) };
    case "ended":
      return { type: "ended", ...execEnd(jobId, kind.value.outcome) };
    case undefined:
      return undefined;
  }
}

/** Converts the message that a job runs to the SDK's form. */
export function jobStarted({ pid, attached, outputEnd, inMemory, shell }: WireStarted): JobStarted {
  return { pid, attached, outputEnd: Number(outputEnd), inMemory, shell: shell || null };
}

/**
 * Converts an outcome of the wire to the SDK's form. An incomplete one becomes `unknown`, never a success.
 */
export function execEnd(jobId: string, outcome: Outcome | undefined): ExecEnd {
  const named = outcome === undefined ? undefined : OUTCOME_NAMES[outcome.kind];
  const complete = named !== undefined && (named !== "exited" || outcome?.exitCode !== undefined);
  return {
    jobId,
    outcome: complete ? named : "unknown",
    exitCode: named === "exited" ? (outcome?.exitCode ?? null) : null,
    signal: outcome?.signal ?? null,
    reason: complete ? (outcome?.reason ?? "") : "the machine gave no complete outcome",
    durationMs: outcome?.durationMs ?? 0,
  };
}

/** Converts the outcome of a job of any kind. */
export function jobEnd(jobId: string, outcome: Outcome | undefined): JobEnd {
  if (outcome?.kind === OutcomeKind.COMPLETED)
    return { ...execEnd(jobId, outcome), outcome: "completed", reason: "" };
  if (outcome?.kind === OutcomeKind.FAILED)
    return { ...execEnd(jobId, outcome), outcome: "failed", reason: outcome.reason };
  return execEnd(jobId, outcome);
}

/** Makes the end of a job that can't be followed any more. */
export function unknownEnd(jobId: string, reason: string): ExecEnd {
  return { jobId, outcome: "unknown", exitCode: null, signal: null, reason, durationMs: 0 };
}
