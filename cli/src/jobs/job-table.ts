import { describeEnd, type JobInfo } from "@cmdop/sdk";
import { type Cell, type TableView, table } from "../console/table.ts";
import { isoTime } from "../console/time.ts";

const COLUMNS = [
  { title: "ID" },
  { title: "KIND" },
  { title: "STARTED" },
  { title: "STATE", minWidth: 7 },
  { title: "OUTPUT" },
  { title: "COMMAND", minWidth: 12 },
];

/** Jobs as people read them, a line each below a heading. `short`: shortens their ids. */
export function jobTable(jobs: readonly JobInfo[], short: (id: string) => string, view: TableView): string {
  const rows = jobs.map((job) => [
    short(job.jobId),
    job.kind,
    isoTime(job.startedAt.getTime()),
    stateCell(job),
    String(job.outputEnd),
    job.command,
  ]);
  return table(COLUMNS, rows, view);
}

function stateCell({ outcome }: JobInfo): Cell {
  if (outcome === null) return { text: "running", style: "good" };
  const text = describeEnd({ ...outcome, reason: "" });
  return outcome.exitCode === 0 ? text : { text, style: "bad" };
}
