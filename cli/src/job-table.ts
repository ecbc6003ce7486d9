import { describeEnd, type JobInfo } from "@cmdop/sdk";

/** Characters that would move the cursor, or worse, on the screen of whoever looks. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Jobs as people read them, a line each below a heading; lines are cut at `maxWidth`. */
export function jobTable(jobs: readonly JobInfo[], maxWidth = Number.POSITIVE_INFINITY): string {
  const rows = [
    ["ID", "KIND", "STARTED", "STATE", "OUTPUT", "COMMAND"],
    ...jobs.map((job) => [
      job.jobId,
      job.kind,
      job.startedAt.toISOString().replace(/\.\d+Z$/, "Z"),
      job.outcome === null ? "running" : printable(describeEnd({ ...job.outcome, reason: "" })),
      String(job.outputEnd),
      printable(job.command),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd().slice(0, maxWidth)}\n`)
    .join("");
}

/** A job as a line of JSON; offsets are numbers. */
export function jobLine({ startedAt, outputStart, outputEnd, ...rest }: JobInfo): string {
  const counts = { outputStart: Number(outputStart), outputEnd: Number(outputEnd) };
  return `${JSON.stringify({ ...rest, startedAt: startedAt.toISOString(), ...counts })}\n`;
}

function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
