import { describeEnd, type JobInfo } from "@cmdop/sdk";
import { table } from "../console/table.ts";
import { isoTime } from "../console/time.ts";

/** Jobs as people read them, a line each below a heading; lines are cut at `maxWidth`. */
export function jobTable(jobs: readonly JobInfo[], maxWidth?: number): string {
  const rows = jobs.map((job) => [
    job.jobId,
    job.kind,
    isoTime(job.startedAt.getTime()),
    job.outcome === null ? "running" : describeEnd({ ...job.outcome, reason: "" }),
    String(job.outputEnd),
    job.command,
  ]);
  return table([["ID", "KIND", "STARTED", "STATE", "OUTPUT", "COMMAND"], ...rows], maxWidth);
}
