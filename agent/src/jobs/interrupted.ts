import type { JobLimits } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import type { JobTrace } from "./process/job-trace.ts";
import { endProcesses, sayRemains } from "./process/process-group.ts";
import { type Work, workWithout } from "./work.ts";

/**
 * What is left of a job that ran when an earlier life of the agent ended: nobody
 * can tell any more how it ends, so its processes must not go on unseen. Its
 * outcome is unknown, and comes when they are gone.
 */
export function interruptedWork(trace: JobTrace, limits: JobLimits): Work {
  const nothing = workWithout({ kind: "unknown", reason: "", durationMs: 0 });
  return { ...nothing, outcome: conclude(trace, limits) };
}

async function conclude(trace: JobTrace, limits: JobLimits): Promise<Outcome> {
  const reason = "The machine's agent ended while this job ran, and how far it came is not known.";
  return endProcesses(trace, limits).then(
    (remains) => unknown(`${reason} ${sayRemains(remains, limits)}`),
    (error) => unknown(`${reason} What is left of it could not be ended: ${String(error)}`),
  );
}

function unknown(reason: string): Outcome {
  return { kind: "unknown", reason, durationMs: 0 };
}
