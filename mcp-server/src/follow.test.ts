import type { ExecEvent, RunStreamEvent } from "@cmdop/sdk";
import { expect, test } from "vitest";
import { followJob } from "./follow-job.ts";
import { followRun } from "./follow-run.ts";

const ID = "3f0c1f52-9d5b-4b57-8f0e-0d2c7a1f4b11";

/** Events of something that ends, and what is called when their reader lets go of them. */
async function* events<T>(ended: T, letGo: () => void): AsyncGenerator<T, void, void> {
  try {
    yield ended;
  } finally {
    letGo();
  }
}

test("a command and a run that have ended are let go of: what their streams hold is free, call for call", async () => {
  let held = 2;
  const letGo = (): void => {
    held -= 1;
  };
  const job: ExecEvent = {
    ...{ type: "ended", jobId: ID, outcome: "exited", exitCode: 0, signal: null, reason: "", durationMs: 1 },
  };
  const run: RunStreamEvent = {
    ...{ type: "ended", after: 0, runId: ID, outcome: "completed", reason: "", durationMs: 1 },
  };
  await followJob(ID, events(job, letGo)).end;
  await followRun(ID, events(run, letGo)).end;
  expect(held).toBe(0);
});
