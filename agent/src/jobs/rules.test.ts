import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { begin, collect, follow, me, newJobs, run, shell, somebodyElse } from "./test-support.ts";

const SESSION = { shell: ["/bin/cat"], size: { cols: 80, rows: 24 }, cwd: "", env: {}, idleTimeoutMs: 0 };

test("a job runs no longer than the machine's policy says, and is told why it ended", async () => {
  const jobs = newJobs({ spawner: false });
  jobs.govern({ maxJobMs: 50 });
  const policy = { kind: "timed_out", reason: expect.stringContaining("limits.maxJobMs") };
  expect((await run(jobs, shell("sleep 60"))).outcome).toMatchObject(policy);
  expect((await run(jobs, shell("sleep 60", { timeoutMs: 60_000 }))).outcome).toMatchObject(policy);
  expect((await run(jobs, shell("sleep 60", { timeoutMs: 10 }))).outcome).toMatchObject({
    kind: "timed_out",
    reason: expect.stringContaining("Its time limit of 10 ms passed."),
  });
  expect(await jobs.startSession(me, randomUUID(), SESSION).job.ended).toMatchObject(policy);
});

test("ceilings on jobs come and go while jobs run, and never lift the agent's own", async () => {
  const jobs = newJobs({ spawner: false, maxRunningJobs: 3 });
  jobs.govern({ maxRunningJobs: 1 });
  begin(jobs, shell("sleep 60"));
  expect(() => begin(jobs, shell("true"))).toThrow(/^All 1 running jobs/);
  jobs.govern({ maxRunningJobs: 1_000 });
  begin(jobs, shell("sleep 60"));
  expect(() => begin(jobs, shell("true"))).toThrow(/^This key has 2 of the 3 running jobs/);
  jobs.govern({ maxSessions: 0 });
  expect(() => jobs.startSession(me, randomUUID(), SESSION)).toThrow(/^This machine allows no sessions/);
});

test("whose job it is, is known to its key alone", async () => {
  const jobs = newJobs({ spawner: false });
  const { id } = begin(jobs, shell("true")).identity;
  expect(jobs.knows(me, id)).toBe(true);
  expect(jobs.knows({ keyId: "another", admin: true }, id)).toBe(false);
  expect(jobs.knows(me, randomUUID())).toBe(false);
});

test("what is started canceled runs nothing, and says that it was canceled", async () => {
  const jobs = newJobs({ spawner: false });
  const { job } = jobs.start({ ...me, startsCanceled: true }, randomUUID(), shell("echo ran"));
  const { stdout, outcome } = await collect(follow(job));
  expect([stdout.toString(), outcome?.kind]).toEqual(["", "canceled"]);
});

test("a Start that must wait hears of its Cancel, also of one that came before, until it listens no more", async () => {
  const jobs = newJobs({ spawner: false });
  const id = randomUUID();
  const heard: string[] = [];
  const stop = jobs.onCancelBefore(me, id, () => heard.push("first"));
  await jobs.cancel(somebodyElse, id);
  expect(heard).toEqual([]);
  await jobs.cancel(me, id);
  jobs.onCancelBefore(me, id, () => heard.push("second"))();
  stop();
  await jobs.cancel(me, id);
  expect(heard).toEqual(["first", "second"]);
});
