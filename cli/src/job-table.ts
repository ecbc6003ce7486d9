import { describeEnd, type JobInfo } from "@cmdop/sdk";
import { jsonLine } from "./json-line.ts";
import { table } from "./table.ts";
import { isoTime } from "./time.ts";

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

/** A job as a line of JSON; offsets are numbers. */
export function jobLine({ startedAt, outputStart, outputEnd, ...rest }: JobInfo): string {
  const counts = { outputStart: Number(outputStart), outputEnd: Number(outputEnd) };
  return jsonLine({ ...rest, startedAt: startedAt.toISOString(), ...counts });
}
