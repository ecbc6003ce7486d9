import { randomUUID } from "node:crypto";
import { cpSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { JobStore } from "../job-store.ts";
import type { Jobs, JobsOptions } from "../jobs.ts";
import {
  alive,
  begin,
  firstLine,
  me,
  newJobs,
  run,
  shell,
  somebodyElse,
  spawnerJobs,
  until,
} from "../test-support.ts";
import { MAY_STILL_RUN } from "./process-group.ts";

const LIMIT = "Its time limit of 400 ms passed.";

/** Without a spawner there are no cgroups: what is followed is what /proc tells. */
const FOLLOWED = { spawner: false } as const;

/** A jobs core on a directory, as an agent has it. */
function life(directory: string, options: JobsOptions): Jobs {
  const jobs = newJobs({ ...options, store: new JobStore(directory, () => undefined) });
  jobs.restore();
  return jobs;
}

/** A directory, and how to copy it as it is now: what a crash leaves. */
async function disk(): Promise<{ directory: string; crashed: () => string }> {
  const scratch = await mkdtemp(join(tmpdir(), "cmdop-jobs-"));
  onTestFinished(() => rm(scratch, { recursive: true }));
  const directory = join(scratch, "jobs");
  const copy = join(scratch, "copy");
  const crashed = (): string => {
    cpSync(directory, copy, { recursive: true });
    return copy;
  };
  return { directory, crashed };
}

test.each([
  ["env -i setsid", "env -i setsid sh -c 'echo $$; exec sleep 61.1' & sleep 61.1"],
  ["a shell with job control", "exec env -i bash -mc 'sleep 61.1 & echo $!; sleep 61.1'"],
  ["su USER -c", `su nobody -s /bin/sh -c 'env -i setsid sh -c "echo \\$\\$; exec sleep 61.1"'; sleep 61.1`],
])("%s ends with its job's time limit, and what may be left is said", async (_, line) => {
  const job = begin(newJobs(FOLLOWED), shell(line, { timeoutMs: 400 }));
  const pid = Number(await firstLine(job));
  expect(await job.ended).toMatchObject({ kind: "timed_out", reason: `${LIMIT} ${MAY_STILL_RUN}` });
  expect(await alive(pid)).toBe(false);
});

test("another key's job of the same id is not ended with one's own", async () => {
  const jobs = newJobs(FOLLOWED);
  const id = randomUUID();
  const theirs = begin(jobs, shell("setsid sleep 61.3 & echo $!; sleep 61.3"), id);
  const stray = Number(await firstLine(theirs));
  const ours = jobs.start(somebodyElse, id, shell("sleep 61.3")).job;
  await jobs.cancel(somebodyElse, id);
  await jobs.endLeftBehind(somebodyElse.keyId);
  expect(ours.outcome).toMatchObject({ kind: "canceled" });
  expect(theirs.outcome).toBeUndefined();
  expect(await alive(stray)).toBe(true);
});

test("promise 1: what ran when the agent died is known by its pid and its start, whatever its environment", async () => {
  const { directory, crashed } = await disk();
  const id = randomUUID();
  const job = begin(life(directory, FOLLOWED), shell("echo $$; exec env -i sleep 61.4"), id);
  const pid = Number(await firstLine(job));
  expect(await life(crashed(), FOLLOWED).get(me, id).ended).toMatchObject({
    kind: "unknown",
    reason: expect.stringContaining(MAY_STILL_RUN),
  });
  expect(await alive(pid)).toBe(false);
});

describe("in a cgroup", () => {
  /** What its parent leaves to itself at once: nothing but a cgroup has it. */
  const orphan = (file: string): string =>
    `env -i setsid -f sh -c 'echo $$ >${file}; exec sleep 61.2' </dev/null >/dev/null 2>&1`;

  async function orphanFile(): Promise<{ file: string; pid: () => Promise<number> }> {
    const file = join(tmpdir(), `cmdop-orphan-${randomUUID()}`);
    onTestFinished(() => rm(file, { force: true }));
    const read = async (): Promise<number> => Number(await readFile(file, "latin1").catch(() => ""));
    const pid = async (): Promise<number> => {
      await until(async () => (await read()) > 1);
      return read();
    };
    return { file, pid };
  }

  test("promise 1: nothing of a job outlives its end, whatever it did to get away", async () => {
    const jobs = await spawnerJobs();
    const { file, pid } = await orphanFile();
    const job = begin(jobs, shell(`${orphan(file)}; sleep 61.2`, { timeoutMs: 400 }));
    const stray = await pid();
    expect(await job.ended).toMatchObject({ kind: "timed_out", reason: LIMIT });
    expect(await alive(stray)).toBe(false);
  });

  test("promise 1: nor the agent's death", async () => {
    const { directory, crashed } = await disk();
    const first = life(directory, {});
    await first.warm();
    const { file, pid } = await orphanFile();
    const id = randomUUID();
    begin(first, shell(`${orphan(file)}; sleep 61.2`), id);
    const stray = await pid();
    expect(await life(crashed(), {}).get(me, id).ended).toMatchObject({
      kind: "unknown",
      reason: expect.stringMatching(/What was left of it has been ended\.$/),
    });
    expect(await alive(stray)).toBe(false);
  });

  test("what a job leaves behind lives on after a normal end, and ends with its key's right", async () => {
    const jobs = await spawnerJobs();
    const { file, pid } = await orphanFile();
    const { outcome } = await run(jobs, shell(orphan(file)));
    expect(outcome).toMatchObject({ exitCode: 0 });
    const stray = await pid();
    expect(await alive(stray)).toBe(true);
    await jobs.endLeftBehind(me.keyId);
    expect(await alive(stray)).toBe(false);
  });

  test("each job has one of its own, which is gone when nothing runs in it", async () => {
    const jobs = await spawnerJobs({ sweepMs: 5 });
    const cgroup = async (): Promise<string> =>
      /^0::(.*)$/m.exec((await run(jobs, shell("cat /proc/self/cgroup"))).stdout.toString())?.[1] ?? "";
    const cgroups = await Promise.all([cgroup(), cgroup(), cgroup()]);
    expect(new Set(cgroups).size).toBe(3);
    for (const name of cgroups) expect(name).toMatch(/\/cmdop-job-[0-9a-f-]{36}$/);
    const job = begin(jobs, shell("echo; sleep 61.6"));
    await firstLine(job);
    const there = job.trace.cgroup?.directory ?? "";
    expect(await readFile(join(there, "cgroup.procs"), "latin1")).not.toBe("");
    await job.stop({ kind: "canceled", reason: "test" });
    await until(() => job.trace.cgroup === undefined);
    await expect(readFile(join(there, "cgroup.procs"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
