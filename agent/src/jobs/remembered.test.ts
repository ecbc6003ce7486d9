import { Socket } from "node:net";
import { ReadStream } from "node:tty";
import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import { me, newJobs, run, shell } from "./test-support.ts";

test("a job that has ended is remembered without its terminal, its pipes and its input", async () => {
  const jobs = newJobs();
  const session = { shell: ["/bin/echo"], size: { cols: 80, rows: 24 }, cwd: "/", env: {}, idleTimeoutMs: 0 };
  const some = async (from: number): Promise<void> => {
    for (let index = from; index < from + 5; index += 1) {
      const id = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
      await jobs.startSession(me, id, session).job.ended;
      await run(jobs, shell("true", { stdinOpen: true, stdin: Buffer.from("input") }));
    }
  };
  await some(0);
  const before = [queryObjects(ReadStream), queryObjects(Socket)];
  await some(5);
  expect([queryObjects(ReadStream), queryObjects(Socket)]).toEqual(before);
});
