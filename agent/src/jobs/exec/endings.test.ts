import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  alive,
  argv,
  begin,
  collect,
  eventsOf,
  firstLine,
  follow,
  me,
  newJobs,
  shell,
  somebodyElse,
  WAYS,
} from "../test-support.ts";

/** Lets SIGTERM pass by, and says when it is ready to. */
const STUBBORN = "trap '' TERM; echo ready; while :; do sleep 60; done";

describe.each(WAYS)("started %s", (_way, ready) => {
  test("a time limit ends the job with SIGTERM", async () => {
    const { outcome } = await collect(follow(begin(await ready(), argv(["sleep", "60"], { timeoutMs: 50 }))));
    expect(outcome).toMatchObject({
      kind: "timed_out",
      signal: "SIGTERM",
      reason: expect.stringContaining("50 ms"),
    });
  });

  test("what ignores SIGTERM gets SIGKILL after the grace", async () => {
    const job = begin(await ready({ killGraceMs: 100 }), shell(STUBBORN, { timeoutMs: 300 }));
    expect(await firstLine(job)).toBe("ready");
    await expect(job.ended).resolves.toMatchObject({ kind: "timed_out", signal: "SIGKILL" });
  });

  test("what ends itself on SIGTERM may say a last word within the grace", async () => {
    const job = begin(
      await ready(),
      shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"),
    );
    await firstLine(job);
    const outcome = await job.stop({ kind: "canceled", reason: "test" });
    expect(outcome).toEqual({
      kind: "canceled",
      reason: expect.stringMatching(/^test/),
      signal: undefined,
      durationMs: expect.any(Number),
    });
    expect((await collect(follow(job))).stdout.toString()).toBe("ready\nbye\n");
  });

  test("a cancel ends the whole process group", async () => {
    const job = begin(await ready(), shell("sleep 60 & sleep 60 & echo $!; wait"));
    const child = Number(await firstLine(job));
    await expect(job.stop({ kind: "canceled", reason: "test" })).resolves.toMatchObject({ kind: "canceled" });
    expect(await alive(child)).toBe(false);
  });

  test("a cancel reaches a group whose leader has ended on SIGTERM and whose child ignores it", async () => {
    const job = begin(
      await ready({ killGraceMs: 100 }),
      shell("sh -c 'trap \"\" TERM; echo $$; sleep 60; sleep 60' & wait"),
    );
    const child = Number(await firstLine(job));
    await expect(job.stop({ kind: "canceled", reason: "test" })).resolves.toMatchObject({
      signal: "SIGTERM",
    });
    expect(await alive(child)).toBe(false);
  });

  test("a cancel reaches what has left the process group, by the job's id in its environment", async () => {
    const job = begin(await ready(), shell("setsid sh -c 'echo $$; exec sleep 60' & wait"));
    const stray = Number(await firstLine(job));
    expect(stray).not.toBe(await job.pid);
    await job.stop({ kind: "canceled", reason: "test" });
    expect(await alive(stray)).toBe(false);
  });

  test("a stray that ignores SIGTERM is killed too", async () => {
    const job = begin(
      await ready({ killGraceMs: 50 }),
      shell("setsid sh -c 'trap \"\" TERM; echo $$; sleep 60; sleep 60' & wait"),
    );
    const stray = Number(await firstLine(job));
    await job.stop({ kind: "canceled", reason: "test" });
    expect(await alive(stray)).toBe(false);
  });

  test("a cancel ends a stopped job without waiting for the grace", async () => {
    const job = begin(await ready({ killGraceMs: 600_000 }), shell("echo ready; kill -STOP $$; sleep 60"));
    await firstLine(job);
    await expect(job.stop({ kind: "canceled", reason: "test" })).resolves.toMatchObject({ kind: "canceled" });
  });

  test("a cancel after the end says how the job had ended", async () => {
    const jobs = await ready();
    const id = randomUUID();
    await collect(follow(begin(jobs, shell("exit 4"), id)));
    await expect(jobs.cancel(me, id)).resolves.toMatchObject({ kind: "exited", exitCode: 4 });
  });

  test("the first reason wins: a time limit is no cancel, and two cancels are one", async () => {
    const jobs = await ready({ killGraceMs: 100 });
    const id = randomUUID();
    const job = begin(jobs, shell(STUBBORN), id);
    await firstLine(job);
    const [one, two, three] = await Promise.all([
      job.stop({ kind: "timed_out", reason: "first" }),
      jobs.cancel(me, id),
      jobs.cancel(me, id),
    ]);
    expect(one).toMatchObject({ kind: "timed_out", reason: expect.stringMatching(/^first/) });
    expect(two).toBe(one);
    expect(three).toBe(one);
  });

  test("a signal goes to the whole group", async () => {
    const job = begin(
      await ready(),
      shell(
        "(trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done) & trap 'wait; echo shell; exit 9' USR1; wait",
      ),
    );
    await firstLine(job);
    job.signal("SIGUSR1");
    const { stdout, outcome } = await collect(follow(job));
    expect(stdout.toString()).toBe("ready\nchild\nshell\n");
    expect(outcome).toMatchObject({ kind: "exited", exitCode: 9 });
  });

  test("a signal that we did not mean as an end is told as one", async () => {
    const job = begin(await ready(), shell("echo ready; exec sleep 60"));
    await firstLine(job);
    job.signal("SIGKILL");
    await expect(job.ended).resolves.toMatchObject({ kind: "signaled", signal: "SIGKILL" });
    expect(() => job.signal("SIGTERM")).toThrow(expect.objectContaining({ code: "JobEnded" }));
  });

  test("shutdown ends every job, also the stubborn, and starts no more", async () => {
    const jobs = await ready({ killGraceMs: 100 });
    const running = [
      begin(jobs, shell(STUBBORN)),
      begin(jobs, argv(["sleep", "60"])),
      begin(jobs, shell("cat", { stdinOpen: true })),
    ];
    const [stubborn] = running;
    if (stubborn !== undefined) await firstLine(stubborn);
    const pids = await Promise.all(running.map(({ pid }) => pid));
    await jobs.shutdown();
    expect(jobs.running).toBe(0);
    for (const job of running)
      expect(job.outcome).toMatchObject({ kind: "canceled", reason: expect.stringContaining("shut down") });
    for (const pid of pids) expect(await alive(pid)).toBe(false);
    expect(() => begin(jobs, shell("true"))).toThrow(expect.objectContaining({ code: "MachineOffline" }));
  });
});

test("promise 1: a cancel before its Start is honest about it, and the late Start ends canceled", async () => {
  const jobs = newJobs();
  const id = randomUUID();
  await expect(jobs.cancel(me, id)).resolves.toMatchObject({ kind: "unknown" });
  const events = await eventsOf(follow(begin(jobs, shell("echo ran"), id)));
  expect(events).toMatchObject([
    { kind: "started", pid: 0 },
    { kind: "ended", outcome: { kind: "canceled" } },
  ]);
  await expect(jobs.cancel(me, id)).resolves.toMatchObject({ kind: "canceled" });
});

test("a mark expires, is bounded, and is no other key's business", async () => {
  const expired = newJobs({ cancelMarkMs: 0 });
  const id = randomUUID();
  await expired.cancel(me, id);
  await expect(begin(expired, shell("true"), id).ended).resolves.toMatchObject({ kind: "exited" });

  const bounded = newJobs({ maxCancelMarks: 2 });
  const another = randomUUID();
  await bounded.cancel(me, id);
  await bounded.cancel(me, another);
  await bounded.cancel(somebodyElse, randomUUID());
  await expect(begin(bounded, shell("true"), id).ended).resolves.toMatchObject({ kind: "exited" });
  await expect(begin(bounded, shell("true"), another).ended).resolves.toMatchObject({ kind: "canceled" });

  const foreign = newJobs();
  await foreign.cancel(somebodyElse, id);
  await expect(begin(foreign, shell("true"), id).ended).resolves.toMatchObject({ kind: "exited" });
});
