import type { JobLimits } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import { endCarriers } from "./process/process-group.ts";
import { type Work, workWithout } from "./work.ts";

/**
 * What is left of a job that ran when an earlier life of the agent ended: nobody
 * can tell any more how it ends, so its processes must not go on unseen. Its
 * outcome is unknown, and comes when they are gone.
 */
export function interruptedWork(jobId: string, limits: JobLimits): Work {
  const nothing = workWithout({ kind: "unknown", reason: "", durationMs: 0 });
  return { ...nothing, outcome: conclude(jobId, limits) };
}

async function conclude(jobId: string, limits: JobLimits): Promise<Outcome> {
  const reason = "The machine's agent ended while this job ran, and how far it came is not known.";
  return endCarriers({ jobId, sinceS: 0 }, limits).then(
    (gone) =>
      unknown(
        `${reason} ${gone ? "What was left of it has been ended." : "Some of its processes are still there: they hang in the kernel, or run as another user."}`,
      ),
    (error) => unknown(`${reason} What is left of it could not be ended: ${String(error)}`),
  );
}

function unknown(reason: string): Outcome {
  return { kind: "unknown", reason, durationMs: 0 };
}
