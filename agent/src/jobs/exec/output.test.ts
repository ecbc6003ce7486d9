import { expect, onTestFinished, test } from "vitest";
import {
  alive,
  argv,
  begin,
  collect,
  firstLine,
  follow,
  killAfterTest,
  newJobs,
  run,
  shell,
  until,
} from "../test-support.ts";

const MiB = 1024 * 1024;

/** Writes `count` numbered lines to both pipes at once; each line has ten bytes. */
const BOTH = (count: number): string =>
  `awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "%09d\\n", i }' & ` +
  `awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "%09d\\n", ${count} - i }' >&2; wait`;

test("promise 3: 10 MB on stdout and 10 MB on stderr at once arrive whole, separate and in order", async () => {
  const count = 1_000_000;
  const { stdout, stderr, droppedBytes, outcome } = await run(newJobs(), shell(BOTH(count)));
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
  expect(droppedBytes).toBe(0n);
  const number = (value: number): string => String(value).padStart(9, "0");
  const lines = (at: (index: number) => number): Buffer =>
    Buffer.from(Array.from({ length: count }, (_, index) => `${number(at(index))}\n`).join(""));
  expect(stdout.equals(lines((index) => index))).toBe(true);
  expect(stderr.equals(lines((index) => count - index))).toBe(true);
});

test("binary output and invalid UTF-8 arrive byte for byte", async () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const { stdout, stderr } = await run(newJobs(), shell("tee /proc/self/fd/2", { stdin: every }));
  const octal = [...every].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  const printed = await run(newJobs(), argv(["printf", octal]));
  expect(printed.stdout.equals(every)).toBe(true);
  expect(stdout.equals(every)).toBe(true);
  expect(stderr.equals(every)).toBe(true);
});

test("the tail of the output is there however the process ends", async () => {
  const jobs = newJobs();
  for (let round = 0; round < 20; round += 1) {
    const { stdout } = await run(jobs, shell("head -c 150000 /dev/zero; kill -9 $$"));
    expect(stdout.length).toBe(150_000);
  }
});

test.each(["/dev/stdout", "/dev/stderr", "/proc/self/fd/1"])(
  "a program can open %s by its name",
  async (path) => {
    const { stdout, stderr, outcome } = await run(newJobs(), shell(`echo written > ${path}`));
    expect(`${stdout}${stderr}`).toBe("written\n");
    expect(outcome).toMatchObject({ exitCode: 0 });
  },
);

test("a background child that holds the pipes neither delays the end nor dies with it", async () => {
  const jobs = newJobs();
  const job = begin(jobs, shell("(sleep 0.3; echo late; exec sleep 60) & echo $!; echo error >&2; exit 7"));
  const { stdout, stderr, outcome } = await collect(follow(job));
  const child = Number(stdout.toString());
  killAfterTest(child);
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 7 });
  expect(stderr.toString()).toBe("error\n");
  // It lives on, also past its next write: nobody closed the pipe under it.
  await until(async () => (await comm(child)) === "sleep");
  expect(await alive(child)).toBe(true);
});

test("what lies in the pipe at the end is never cut, however late it is looked at", async () => {
  const jobs = newJobs({ pipeQuietMs: 0, maxMemoryJournalBytes: 128 * 1024 });
  busyLoop();
  for (let round = 0; round < 10; round += 1) {
    const job = begin(jobs, shell("sleep 60 & echo $! >&2; head -c 180000 /dev/zero"));
    const events = follow(job);
    // Nobody reads, so the pipe is not empty when the process ends.
    await events.next();
    await job.ended;
    const { stdout, stderr } = await collect(events);
    killAfterTest(Number(stderr.toString()));
    expect(stdout.length).toBe(180_000);
  }
});

test("a background child that never stops writing does not keep the job from its end", async () => {
  const jobs = newJobs();
  const job = begin(jobs, shell("yes & echo $! >&2; exit 0"));
  const { stderr, outcome, stdout } = await collect(follow(job));
  killAfterTest(Number(stderr.toString()));
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
  expect(stdout.length).toBeLessThan(20 * MiB);
});

test("promise 9: pipes held by background children are bounded", async () => {
  const jobs = newJobs({ maxHeldPipes: 2, pipeQuietMs: 10 });
  const children: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { stdout } = await run(jobs, shell("(while echo; do sleep 0.02; done; exec true) 2>&1 & echo $!"));
    children.push(Number(stdout.toString().trim()));
  }
  const [first = 0, ...others] = children;
  // The oldest loses its pipe, and with it its life at the next write; the newest goes on.
  await until(async () => !(await alive(first)));
  const newest = others.at(-1) ?? 0;
  killAfterTest(newest);
  expect(await alive(newest)).toBe(true);
  if (others.length > 1 && (await alive(others[0] ?? 0))) killAfterTest(others[0] ?? 0);
});

test("promise 9: a reader that is stuck blocks the pipe, in bounded memory, and loses nothing", async () => {
  const jobs = newJobs({ maxMemoryJournalBytes: 2 * MiB });
  const job = begin(jobs, shell("head -c 20000000 /dev/zero; echo finished >&2"));
  const events = follow(job);
  await events.next();
  await until(() => job.journal.full);
  // The pipe is blocked: however long we look, no more comes.
  const blockedAt = job.journal.end;
  await run(jobs, shell("sleep 0.2"));
  expect(job.journal.end - blockedAt).toBeLessThan(512n * 1024n);
  expect(job.journal.heldBytes).toBeLessThan(3 * MiB);
  expect(job.outcome).toBeUndefined();

  const { stdout, stderr, droppedBytes } = await collect(events);
  expect(stdout.length).toBe(20_000_000);
  expect(stderr.toString()).toBe("finished\n");
  expect(droppedBytes).toBe(0n);
});

test("a reader that is stuck does not delay the end of a job that is canceled", async () => {
  const job = begin(newJobs({ maxMemoryJournalBytes: 2 * MiB, maxPipeRestBytes: MiB }), shell("yes"));
  const events = follow(job);
  await events.next();
  await until(() => job.journal.full);
  await expect(job.stop({ kind: "canceled", reason: "test" })).resolves.toMatchObject({ kind: "canceled" });
  expect(job.journal.heldBytes).toBeLessThan(5 * MiB);
  const { droppedBytes, outcome } = await collect(events);
  expect(droppedBytes).toBe(0n);
  expect(outcome).toMatchObject({ kind: "canceled" });
});

test("promise 4: a job whose reader went away runs on; what the bound drops is counted", async () => {
  const jobs = newJobs({ maxMemoryJournalBytes: 2 * MiB, absentReaderGraceMs: 1 });
  const job = begin(jobs, shell("echo begun; head -c 20000000 /dev/zero; echo finished"));
  expect(await firstLine(job)).toBe("begun");
  const events = follow(job);
  await events.next();
  await events.return();
  await expect(job.ended).resolves.toMatchObject({ kind: "exited", exitCode: 0 });

  const { stdout, droppedBytes } = await collect(follow(job));
  expect(droppedBytes).toBeGreaterThan(17_000_000n);
  expect(droppedBytes + BigInt(stdout.length)).toBe(BigInt(20_000_000 + "begun\nfinished\n".length));
  expect(stdout.toString().endsWith("finished\n")).toBe(true);
});

test("promise 3: within the grace, an absent reader blocks the pipe and may come back for all of it", async () => {
  const jobs = newJobs({ maxMemoryJournalBytes: 2 * MiB });
  const job = begin(jobs, shell("head -c 20000000 /dev/zero"));
  const events = follow(job);
  let offset = 0n;
  for await (const event of events) {
    if (event.kind === "output") offset = event.offset + BigInt(event.bytes.length);
    if (offset > 3_000_000n) break;
  }
  await until(() => job.journal.full);
  // The connection may have lost the last half megabyte that was read.
  const after = offset - 512n * 1024n;
  const { stdout, droppedBytes } = await collect(follow(job, after));
  expect(droppedBytes).toBe(0n);
  expect(after + BigInt(stdout.length)).toBe(20_000_000n);
});

test("promise 9: ended jobs give up their output to a budget, the oldest first, and say so", async () => {
  const jobs = newJobs({ maxOutputMemoryBytes: 3 * MiB });
  const first = begin(jobs, shell(ZEROS));
  await collect(follow(first));
  await run(jobs, shell(ZEROS));
  await run(jobs, shell(ZEROS));
  const fourth = await run(jobs, shell(ZEROS));
  expect(fourth.stdout.length).toBe(1_000_000);
  expect(jobs.outputBytes).toBeLessThanOrEqual(3 * MiB);
  await expect(collect(follow(first))).resolves.toMatchObject({
    droppedBytes: 1_000_000n,
    outcome: { kind: "exited" },
  });
});

/** Makes every turn of the event loop late for its timers, until the end of the test. */
function busyLoop(): void {
  let turn: NodeJS.Immediate;
  const spin = (): void => {
    for (const since = performance.now(); performance.now() - since < 3; );
    turn = setImmediate(spin);
  };
  spin();
  onTestFinished(() => clearImmediate(turn));
}

const ZEROS = "head -c 1000000 /dev/zero";

async function comm(pid: number): Promise<string> {
  const { stdout } = await run(newJobs(), argv(["ps", "-o", "comm=", "-p", String(pid)]));
  return stdout.toString().trim();
}
