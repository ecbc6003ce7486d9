import { describe, expect, it } from "vitest";
import { onlyMatch } from "./find-job.ts";

const job = (jobId: string) => ({
  jobId,
  kind: "exec" as const,
  command: "true",
  startedAt: new Date(0),
  outputStart: 0,
  outputEnd: 0,
  outcome: null,
});
const jobs = [job("3f2a0000-0000-4000-8000-000000000001"), job("3f2b0000-0000-4000-8000-000000000002")];

describe("a job by the beginning of its id", () => {
  it("is the only one that begins so", () => {
    expect(onlyMatch(jobs, "3f2b")).toBe(jobs[1]);
  });

  it("is refused where several begin so, with all of them", () => {
    const alike = [...jobs, job("3f2a0000-0000-4000-8000-000000000003")];
    expect(() => onlyMatch(alike, "3f2a")).toThrow(
      expect.objectContaining({
        code: "Ambiguous",
        message: expect.stringMatching(/3f2a.+01 \(true\), 3f2a.+03/),
      }),
    );
  });

  it("is unknown where none begins so", () => {
    expect(() => onlyMatch(jobs, "4000")).toThrow(expect.objectContaining({ code: "JobUnknown" }));
  });
});
