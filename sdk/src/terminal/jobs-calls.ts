import { Backoff } from "@cmdop/kit";
import { CmdopError, JobKind, Jobs, type JobsListResponse_Job } from "@cmdop/proto";
import { isPassing, type MachineCaller } from "../connection/caller.ts";
import { execEnd, jobEnd } from "./events.ts";
import type { JobInfo, JobsOptions } from "./session-types.ts";
import type { ExecEnd } from "./types.ts";

const KINDS = { exec: JobKind.EXEC, session: JobKind.SESSION, run: JobKind.RUN } as const;

/** Returns the caller's jobs, the newest first. */
export async function listJobs(caller: MachineCaller, { kind, running }: JobsOptions): Promise<JobInfo[]> {
  const request = { kind: kind === undefined ? JobKind.UNSPECIFIED : KINDS[kind], running: running ?? false };
  const { jobs } = await caller.invoke("/cmdop.v1.Jobs/List", (call) =>
    caller.client(Jobs).list(request, call),
  );
  return jobs.map(jobInfo);
}

/** Cancels a job and returns its end. */
export async function cancelJob(caller: MachineCaller, jobId: string): Promise<ExecEnd> {
  const { outcome } = await caller.invoke(
    "/cmdop.v1.Jobs/Cancel",
    (call) => caller.client(Jobs).cancel({ jobId }, call),
    { jobId },
  );
  return execEnd(jobId, outcome);
}

/** Cancels, and tries again across lost connections until it is answered or `over` aborts. */
export async function cancelUntilHeard(
  caller: MachineCaller,
  cancel: () => Promise<unknown>,
  over: AbortSignal,
): Promise<void> {
  const pauses = new Backoff(caller.transport.reconnect);
  while (!over.aborted) {
    try {
      await cancel();
      return;
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      if (!isPassing(error) && error.code !== "OutcomeUnknown") throw error;
    }
    await pauses.wait({ signal: over });
  }
}

/** Sends a job one signal. */
export async function signalJob(caller: MachineCaller, jobId: string, signal: string): Promise<void> {
  await caller.invoke(
    "/cmdop.v1.Jobs/Signal",
    (call) => caller.client(Jobs).signal({ jobId, signal }, call),
    { jobId },
  );
}

function jobInfo(job: JobsListResponse_Job): JobInfo {
  const { jobId, kind, command, startedAtMs, outputStart, outputEnd, outcome } = job;
  return {
    jobId,
    kind: kind === JobKind.SESSION ? "session" : kind === JobKind.RUN ? "run" : "exec",
    command,
    startedAt: new Date(startedAtMs),
    outputStart: Number(outputStart),
    outputEnd: Number(outputEnd),
    outcome: outcome === undefined ? null : jobEnd(jobId, outcome),
  };
}
