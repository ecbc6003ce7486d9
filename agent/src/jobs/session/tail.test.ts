import { spawn } from "node:child_process";
import { readdir, readlink } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { JOB_LIMITS } from "../limits.ts";
import { newJobs, spawnerJobs, until } from "../test-support.ts";
import { EndMark } from "./end-mark.ts";
import { runSession, script, session } from "./test-support.ts";

/** As in the whole-system test, which runs 1,000. */
const COMMANDS = 200;
const AT_ONCE = 10;

test("promise 3: the last line of each of 200 short commands arrives, with both cores busy", async () => {
  for (let core = 0; core < 2; core += 1) {
    const busy = spawn("/bin/sh", ["-c", "while :; do :; done"], { stdio: "ignore" });
    onTestFinished(() => {
      busy.kill("SIGKILL");
    });
  }
  const jobs = await spawnerJobs();
  const numbers = Array.from({ length: COMMANDS }, (_, index) => index);
  const wrong: string[] = [];
  const work = async (): Promise<void> => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      // Some more than a terminal holds, some nothing but the last line.
      const lines = number % 2 === 0 ? 2_000 : 0;
      const { output, outcome } = await runSession(
        jobs,
        script(`seq ${lines}; printf 'last ${number}'; exit 3`),
      );
      const expected = `${Array.from({ length: lines }, (_, line) => `${line + 1}\r\n`).join("")}last ${number}`;
      if (output !== expected || outcome?.kind !== "exited") wrong.push(`${number}: ${output.slice(-40)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(wrong).toEqual([]);
}, 120_000);

test("what was written before an end by SIGKILL arrives too", async () => {
  const { output } = await runSession(newJobs(), script("seq 2000; printf last; kill -9 $$"));
  expect(output).toMatch(/\r\n2000\r\nlast$/);
});

test("an end waits neither for output that was stopped with Ctrl-S nor for a background child that writes on", async () => {
  const jobs = newJobs({ terminalQuietMs: 50, maxPipeRestBytes: 100_000 });
  const stopped = session(jobs, script("echo begun; read line; echo never shown"));
  await stopped.sees("begun\r\n");
  await stopped.type("\x13");
  await stopped.type("\n");
  stopped.job.signal("SIGKILL");
  await expect(stopped.job.ended).resolves.toMatchObject({ kind: "signaled" });

  // In a session of its own, so that the end of the terminal's does not concern it, until the terminal is gone.
  const flooded = await runSession(jobs, script("setsid yes </dev/null & echo begun; exit 5"));
  expect(flooded.outcome).toMatchObject({ kind: "exited", exitCode: 5 });
});

test("nothing of a session is left open after its end", async () => {
  const jobs = newJobs();
  await runSession(jobs, script("echo warm"));
  const terminals = async (): Promise<string[]> => {
    const names = await readdir("/proc/self/fd");
    const targets = await Promise.allSettled(names.map((name) => readlink(`/proc/self/fd/${name}`)));
    return targets.flatMap((target) =>
      target.status === "fulfilled" && /ptmx|pts/.test(target.value) ? [target.value] : [],
    );
  };
  for (let round = 0; round < 5; round += 1) {
    await runSession(jobs, script("echo x; exit 1"));
    await runSession(jobs, script("true"), { cwd: "/no/such/directory" });
  }
  await until(async () => (await terminals()).length === 0);
});

test("the end mark is found and cut out however it is split, and what only begins like it is kept", () => {
  for (let split = 0; split <= 40; split += 1) {
    const mark = new EndMark();
    const beginning = mark.bytes.subarray(0, 5);
    const stream = Buffer.concat([
      Buffer.from("ab"),
      beginning,
      Buffer.from("cd"),
      mark.bytes,
      Buffer.from("late"),
    ]);
    const pieces = [stream.subarray(0, split), stream.subarray(split)];
    const taken = Buffer.concat(pieces.map((piece) => mark.take(piece)));
    expect(taken).toEqual(Buffer.concat([Buffer.from("ab"), beginning, Buffer.from("cd")]));
    expect(mark.found).toBe(true);
  }
  const mark = new EndMark();
  expect(mark.take(mark.bytes.subarray(0, 9))).toHaveLength(0);
  expect(mark.rest()).toEqual(mark.bytes.subarray(0, 9));
  expect(JOB_LIMITS.terminalDrainMs).toBeGreaterThan(JOB_LIMITS.terminalQuietMs);
});
