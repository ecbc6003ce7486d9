import type { ToolClient } from "../client.ts";
import type { FollowedJob } from "../follow-job.ts";
import type { FollowedRun } from "../follow-run.ts";
import { PROGRESS_INTERVAL_MS, WAIT_MS } from "../limits.ts";
import { nameMachines } from "../machine-argument.ts";
import type { ToolContext } from "../tool.ts";
import { WaitingJobs } from "../waiting-jobs.ts";
import { scriptedClient } from "./scripted-client.ts";

/** What a tool gets for one call that nobody cancels, without a server around it. */
export function toolContext(client: ToolClient = scriptedClient()): ToolContext {
  const never = new AbortController().signal;
  const report = (error: unknown): never => {
    throw error;
  };
  return {
    client,
    canceled: never,
    gone: never,
    over: never,
    progress: undefined,
    timings: { waitMs: WAIT_MS, progressIntervalMs: PROGRESS_INTERVAL_MS },
    waitingJobs: new WaitingJobs<FollowedJob>(),
    waitingRuns: new WaitingJobs<FollowedRun>(),
    nameMachine: nameMachines(client, undefined, report),
    report,
    canAsk: false,
  };
}
