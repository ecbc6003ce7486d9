import { describe, expect, it } from "vitest";
import { jsonLine } from "../console/json-line.ts";
import { shortId } from "../console/short-ids.ts";
import { jobTable } from "./job-table.ts";

const job = {
  jobId: "3f2a0000-0000-4000-8000-000000000001",
  kind: "exec" as const,
  command: "make -j8",
  startedAt: new Date(Date.UTC(2030, 0, 2, 3, 4, 5, 678)),
  outputStart: 5,
  outputEnd: 1234,
  outcome: null,
};
const ended = {
  jobId: job.jobId,
  outcome: "exited" as const,
  exitCode: 3,
  signal: null,
  reason: "",
  durationMs: 5,
};

describe("the table of jobs", () => {
  it("has a heading and a line a job, in columns", () => {
    expect(jobTable([job, { ...job, outcome: ended }], shortId, {})).toBe(
      [
        "ID        KIND  STARTED               STATE          OUTPUT  COMMAND",
        "3f2a0000  exec  2030-01-02T03:04:05Z  running        1234    make -j8",
        "3f2a0000  exec  2030-01-02T03:04:05Z  exited with 3  1234    make -j8",
        "",
      ].join("\n"),
    );
  });

  it("is no wider than the screen", () => {
    for (const line of jobTable([job], shortId, { width: 50 }).split("\n"))
      expect(line.length).toBeLessThanOrEqual(50);
  });

  it("shows control characters of a command instead of obeying them", () => {
    const table = jobTable([{ ...job, command: "echo \x1b[2J\nrm\u202e" }], shortId, {});
    expect(table).toContain("echo \\u{1b}[2J\\nrm\\u{202e}");
    expect(table.split("\n")).toHaveLength(3);
  });

  it("as JSON has numbers, times and how it ended", () => {
    expect(JSON.parse(jsonLine({ ...job, outcome: ended }))).toEqual({
      jobId: job.jobId,
      kind: "exec",
      command: "make -j8",
      startedAt: "2030-01-02T03:04:05.678Z",
      outputStart: 5,
      outputEnd: 1234,
      outcome: ended,
    });
  });
});
