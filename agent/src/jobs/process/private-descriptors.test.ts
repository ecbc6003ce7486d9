import { closeSync, openSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { SH, session } from "../session/test-support.ts";
import { argv, newJobs, run, shell, spawnerJobs, starterOf, until } from "../test-support.ts";
import { covered, keepPrivate } from "./private-descriptors.ts";

/** Whoever has the master of somebody's terminal can read and type there. */
const MASTER = "/dev/ptmx";

describe.skipIf(process.platform !== "linux")("with a session open", () => {
  test("the agent has its terminal's master, so that the tests below can fail", async () => {
    const other = session(newJobs(), SH);
    await other.sees("$ ");
    expect(await openIn(process.pid)).toContain(MASTER);
  });

  test("a job that the agent itself forks does not have it", async () => {
    const jobs = newJobs({ spawner: false });
    const others = [session(jobs, SH), session(jobs, SH), session(jobs, SH)];
    for (const other of others) await other.sees("$ ");
    const { stdout } = await run(jobs, argv(["ls", "-l", "/proc/self/fd"]));
    expect(stdout.toString()).toContain("/dev/null");
    expect(stdout.toString()).not.toContain(MASTER);
  });

  test("nor does another session, or what feeds a job's open input", async () => {
    const jobs = newJobs({ spawner: false });
    const other = session(jobs, SH);
    await other.sees("$ ");
    const neighbour = session(jobs, SH);
    await neighbour.type("ls -l /proc/self/fd | grep -c ptmx; echo do''ne\n");
    await neighbour.sees("0\r\ndone");
    const { stdout } = await run(jobs, shell("ls -l /proc/self/fd", { stdin: Buffer.from("x") }));
    expect(stdout.toString()).not.toContain(MASTER);
  });

  test("neither a spawner that is started meanwhile nor its jobs have it", async () => {
    const jobs = await spawnerJobs();
    const first = await starterOf(jobs);
    const other = session(newJobs({ spawner: false }), SH);
    await other.sees("$ ");
    process.kill(first, "SIGKILL");
    let second = first;
    await until(async () => {
      second = await starterOf(jobs);
      // 0: it had not been noticed yet.
      return ![0, first, process.pid].includes(second);
    });
    expect(await openIn(second)).not.toContain(MASTER);
    const { stdout } = await run(jobs, argv(["ls", "-l", "/proc/self/fd"]));
    expect(stdout.toString()).not.toContain(MASTER);
  });
});

test("only what is private is covered, and only as long as it is", () => {
  const before = covered(["ignore"]);
  const high = openSync("/dev/null", "r");
  const forget = keepPrivate(high);
  onTestFinished(() => closeSync(high));
  const ends = covered(["ignore"]);
  expect(ends).toHaveLength(high + 1);
  expect(ends.slice(1).every((end) => typeof end === "number" && end !== high)).toBe(true);
  forget();
  expect(covered(["ignore"])).toEqual(before);
});

/** What a process has open. */
async function openIn(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.allSettled(names.map((name) => readlink(`/proc/${pid}/fd/${name}`)));
  return targets.flatMap((target) => (target.status === "fulfilled" ? [target.value] : []));
}
