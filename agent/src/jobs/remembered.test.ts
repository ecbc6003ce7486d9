import { randomUUID } from "node:crypto";
import { ReadStream } from "node:tty";
import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import { me, newJobs } from "./test-support.ts";

test("a session that has ended is remembered without its terminal", async () => {
  const jobs = newJobs({ spawner: false });
  const session = { shell: ["/bin/echo"], size: { cols: 80, rows: 24 }, cwd: "/", env: {}, idleTimeoutMs: 0 };
  const before = Number(queryObjects(ReadStream));
  for (let count = 0; count < 5; count += 1) await jobs.startSession(me, randomUUID(), session).job.ended;
  expect(jobs.list(me)).toHaveLength(5);
  // The last may be on its way out still.
  expect(Number(queryObjects(ReadStream)) - before).toBeLessThan(3);
});
