import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { JobStore } from "./job-store.ts";
import type { Jobs } from "./jobs.ts";
import { argv, begin, collect, follow, me, newJobs, shell, somebodyElse, until } from "./test-support.ts";
import { workWithout } from "./work.ts";

const KiB = 1024;
const SESSION = { shell: ["/bin/cat"], size: { cols: 80, rows: 24 }, cwd: "", env: {}, idleTimeoutMs: 0 };

const session = (jobs: Jobs, who = me) => jobs.startSession(who, randomUUID(), SESSION).job;

/** A run that goes on until it is stopped. */
function endlessRun(jobs: Jobs, who = me) {
  const ended = Promise.withResolvers<{ kind: "canceled"; reason: string; durationMs: number }>();
  const idle = workWithout({ kind: "canceled", reason: "", durationMs: 0 });
  return jobs.startRun(who, randomUUID(), {
    requestHash: "h",
    summary: "an endless run",
    begin: () => ({
      ...idle,
      outcome: ended.promise,
      stop: ({ reason }) => ended.resolve({ kind: "canceled", reason, durationMs: 0 }),
    }),
  }).job;
}

/** Starts until it is refused; the jobs, and the refusal. */
function startAll<T>(start: () => T): { jobs: T[]; refusal: unknown } {
  const jobs: T[] = [];
  for (;;) {
    try {
      jobs.push(start());
    } catch (refusal) {
      return { jobs, refusal };
    }
  }
}

test.for([
  ["sessions", session],
  ["runs of agents", endlessRun],
  ["running jobs", (jobs: Jobs, who = me) => jobs.start(who, randomUUID(), argv(["sleep", "60"])).job],
] as const)(
  "promise 9: no key takes all %s; who comes next finds room, and what ended is room again",
  async ([what, start]) => {
    const jobs = newJobs({
      spawner: false,
      maxSessions: 4,
      maxRuns: 4,
      maxRunningJobs: what === "running jobs" ? 4 : 99,
    });
    const mine = startAll(() => start(jobs));
    expect(mine.jobs).toHaveLength(2);
    expect(mine.refusal).toMatchObject({
      code: "LimitExceeded",
      message: `This key has 2 of the 4 ${what} that this machine allows, all of its share: 2 are kept free for other keys.`,
    });
    expect(startAll(() => start(jobs, somebodyElse)).jobs).toHaveLength(1);
    await mine.jobs[0]?.stop({ kind: "canceled", reason: "test" });
    expect(start(jobs).outcome).toBeUndefined();
  },
);

test("a job that does not begin takes no place", () => {
  const jobs = newJobs({ spawner: false, maxRunningJobs: 1 });
  const broken = () =>
    jobs.startRun(me, randomUUID(), {
      requestHash: "h",
      summary: "broken",
      begin: () => {
        throw new Error("broken");
      },
    });
  expect(broken).toThrow("broken");
  expect(broken).toThrow("broken");
  begin(jobs, shell("true"));
});

test("promise 9: one key's output evicts its own, in memory", async () => {
  const jobs = newJobs({ maxOutputMemoryBytes: 100 * KiB });
  const theirs = jobs.start(somebodyElse, randomUUID(), shell("head -c 20000 /dev/zero")).job;
  await collect(follow(theirs));
  for (let count = 0; count < 5; count += 1)
    await collect(follow(begin(jobs, shell("head -c 40000 /dev/zero"))));
  expect(theirs.journal.heldBytes).toBeGreaterThan(0);
  expect(jobs.outputBytes).toBeLessThanOrEqual(100 * KiB);
});

test("promise 9: one key's output evicts its own, on disk", async () => {
  const directory = mkdtempSync(join(tmpdir(), "cmdop-shares-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const jobs = newJobs({
    store: new JobStore(directory, (error) => expect.fail(String(error))),
    maxOutputBytes: 300 * KiB,
    segmentBytes: 16 * KiB,
    minJournalBytes: 32 * KiB,
  });
  const theirs = jobs.start(somebodyElse, randomUUID(), shell("head -c 50000 /dev/zero")).job;
  await collect(follow(theirs));
  const mine = [];
  for (let count = 0; count < 5; count += 1) {
    const job = begin(jobs, shell("head -c 100000 /dev/zero"));
    await collect(follow(job));
    mine.push(job.journal.fileBytes > 0);
  }
  expect((await collect(follow(theirs))).droppedBytes).toBe(0n);
  expect(jobs.list(me).map(({ journal }) => journal.fileBytes > 0)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("promise 9: a key within its part is not held to the minimum for what another's jobs take", async () => {
  const jobs = newJobs({
    maxOutputMemoryBytes: 200 * KiB,
    maxMemoryJournalBytes: 150 * KiB,
    minMemoryJournalBytes: 40 * KiB,
  });
  // With the room that a journal keeps to grow into, at most 64 KiB in memory: within the half of 200.
  const line = shell("head -c 60000 /dev/zero; echo done >&2; sleep 60");
  const mine = Array.from({ length: 8 }, () => begin(jobs, line));
  for (const { journal } of mine) await until(() => journal.end >= 60_000n);
  const theirs = jobs.start(somebodyElse, randomUUID(), line).job;
  await until(() => theirs.journal.end >= 60_000n);
  expect(theirs.journal.start).toBe(0n);
  expect(mine.filter(({ journal }) => journal.start > 0n)).not.toEqual([]);
});

test("promise 9: one key's Cancels and ended jobs push out its own", async () => {
  const jobs = newJobs({ maxCancelMarks: 3, maxEndedJobs: 3 });
  const canceled = randomUUID();
  await jobs.cancel(somebodyElse, canceled);
  for (let count = 0; count < 5; count += 1) await jobs.cancel(me, randomUUID());
  const { job } = jobs.start(somebodyElse, canceled, shell("true"));
  expect(await job.ended).toMatchObject({ kind: "canceled" });
  for (let count = 0; count < 5; count += 1) await begin(jobs, shell("true")).ended;
  expect(jobs.knows(somebodyElse, canceled)).toBe(true);
  expect(jobs.list(me)).toHaveLength(2);
});
