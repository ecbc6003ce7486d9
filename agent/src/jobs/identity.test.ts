import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Command } from "./exec/command.ts";
import {
  admin,
  argv,
  begin,
  collect,
  eventsOf,
  follow,
  me,
  newJobs,
  run,
  shell,
  somebodyElse,
} from "./test-support.ts";

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "cmdop-jobs-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test("promise 2: the same id and request attaches, at once, later and after the end, and runs once", async () => {
  const jobs = newJobs();
  const id = randomUUID();
  const marks = join(await temporary(), "marks");
  const command = shell(`echo ran | tee -a ${marks}; read line; echo $line`, { stdinOpen: true });
  const starts = [
    jobs.start(me, id, command),
    jobs.start(me, id, command),
    jobs.start(me, id, { ...command }),
  ];
  expect(starts.map(({ attached }) => attached)).toEqual([false, true, true]);
  expect(new Set(starts.map(({ job }) => job)).size).toBe(1);
  const reading = starts.map(({ job }) => collect(follow(job)));
  const piece = { writerId: randomUUID(), offset: 0n, data: Buffer.from("go\n"), eof: true };
  await starts[0]?.job.input(piece);
  for (const { stdout } of await Promise.all(reading)) expect(stdout.toString()).toBe("ran\ngo\n");

  const late = jobs.start(me, id, command);
  expect(late.attached).toBe(true);
  expect((await collect(follow(late.job))).stdout.toString()).toBe("ran\ngo\n");
  expect(await readFile(marks, "utf8")).toBe("ran\n");
});

test("a stream resumes behind any offset", async () => {
  const job = begin(newJobs(), argv(["printf", "0123456789"]));
  await job.ended;
  for (let after = 0; after <= 10; after += 1) {
    const { stdout } = await collect(follow(job, BigInt(after)));
    expect(stdout.toString()).toBe("0123456789".slice(after));
  }
  const ahead = await eventsOf(follow(job, 2n ** 64n - 1n));
  expect(ahead).toMatchObject([{ kind: "started" }, { kind: "ended", offset: 10n }]);
});

const base = shell("true", { env: { A: "1", B: "2" } });
test.each<[string, Command]>([
  ["another line", { ...base, run: { shell: "false" } }],
  ["argv instead of a line", { ...base, run: { argv: ["true"] } }],
  ["another directory", { ...base, cwd: "/" }],
  ["another variable", { ...base, env: { A: "1", B: "3" } }],
  ["another time limit", { ...base, timeoutMs: 1 }],
  ["open stdin", { ...base, stdinOpen: true }],
  ["other stdin", { ...base, stdin: Buffer.from("x") }],
])("promise 2: the same id with %s is refused", async (_name, other) => {
  const jobs = newJobs();
  const id = randomUUID();
  const job = begin(jobs, base, id);
  expect(() => begin(jobs, other, id)).toThrow(expect.objectContaining({ code: "JobConflict" }));
  await job.ended;
  expect(() => begin(jobs, other, id)).toThrow(expect.objectContaining({ code: "JobConflict" }));
});

test("the order of variables makes no other request", () => {
  const jobs = newJobs();
  const id = randomUUID();
  begin(jobs, base, id);
  expect(jobs.start(me, id, { ...base, env: { B: "2", A: "1" } }).attached).toBe(true);
});

test.each(["", "1", "../../etc/passwd", `${randomUUID()}x`, randomUUID().replaceAll("-", "")])(
  "a job id that is no UUID is refused: %s",
  (id) => {
    expect(() => begin(newJobs(), shell("true"), id)).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
  },
);

test("another key's jobs are invisible, and its ids are its own", async () => {
  const jobs = newJobs();
  const id = randomUUID();
  const job = begin(jobs, argv(["sleep", "60"]), id);
  expect(() => jobs.get(somebodyElse, id)).toThrow(expect.objectContaining({ code: "JobUnknown" }));
  expect(jobs.list(somebodyElse)).toEqual([]);
  await expect(jobs.cancel(somebodyElse, id)).resolves.toMatchObject({ kind: "unknown" });
  expect(job.outcome).toBeUndefined();
  const theirs = jobs.start({ keyId: "a-third-key", admin: false }, id, shell("true"));
  expect(theirs.attached).toBe(false);
  expect(theirs.job).not.toBe(job);
});

test("with admin, other keys' jobs are seen and can be ended; a name that several keys use is refused", async () => {
  const jobs = newJobs();
  const id = randomUUID();
  const job = begin(jobs, argv(["sleep", "60"]), id);
  expect(jobs.get(admin, id)).toBe(job);
  expect(jobs.list(admin)).toEqual([job]);
  await expect(jobs.cancel(admin, id)).resolves.toMatchObject({ kind: "canceled" });
  jobs.start(somebodyElse, id, shell("true"));
  expect(() => jobs.get(admin, id)).toThrow(expect.objectContaining({ code: "JobConflict" }));
});

test("a list shows the newest first, as lines that people can read", async () => {
  const jobs = newJobs({ maxListedJobs: 2 });
  await run(jobs, shell("true"));
  await run(jobs, argv(["printf", "%s", "it's", "a b"]));
  await run(jobs, shell(`echo  ${"x".repeat(1000)}\n`));
  const summaries = jobs.list(me).map(({ identity }) => identity.summary);
  expect(summaries).toEqual([expect.stringMatching(/^echo x{193}…$/), "printf %s 'it'\\''s' 'a b'"]);
});

test("promise 9: jobs that run are bounded, for a key and for the machine", async () => {
  const jobs = newJobs({ maxRunningJobs: 4 });
  const sleep = argv(["sleep", "60"]);
  const [first] = [begin(jobs, sleep), begin(jobs, sleep)];
  expect(() => begin(jobs, sleep)).toThrow(expect.objectContaining({ code: "LimitExceeded" }));
  jobs.start(somebodyElse, randomUUID(), sleep);
  expect(() => jobs.start(somebodyElse, randomUUID(), sleep)).toThrow(
    expect.objectContaining({ code: "LimitExceeded" }),
  );
  await first?.stop({ kind: "canceled", reason: "test" });
  expect(begin(jobs, sleep).outcome).toBeUndefined();
});

test("promise 9: ended jobs are bounded, and a key that has many forgets its own, the oldest first", async () => {
  const jobs = newJobs({ maxEndedJobs: 3 });
  const ids = [randomUUID(), randomUUID(), randomUUID()];
  const theirs = randomUUID();
  await collect(follow(jobs.start(somebodyElse, theirs, shell("echo x")).job));
  for (const id of ids) await collect(follow(begin(jobs, shell("echo x"), id)));
  expect(jobs.list(me).map(({ identity }) => identity.id)).toEqual([ids[2], ids[1]]);
  expect(jobs.get(somebodyElse, theirs).outcome).toMatchObject({ kind: "exited" });
  expect(jobs.outputBytes).toBeLessThan(1000 * 3);
});

test("output goes after its time, id and outcome later", async () => {
  const jobs = newJobs({ outputKeptMs: 30, outcomeKeptMs: 60_000, sweepMs: 5 });
  const kept = begin(jobs, shell("echo output"));
  await kept.ended;
  expect((await collect(follow(kept))).stdout.toString()).toBe("output\n");
  await expect.poll(() => jobs.outputBytes).toBe(0);
  await expect(collect(follow(kept))).resolves.toMatchObject({
    droppedBytes: 7n,
    outcome: { kind: "exited" },
  });
  expect(jobs.list(me)).toEqual([kept]);

  const short = newJobs({ outputKeptMs: 5, outcomeKeptMs: 5, sweepMs: 5 });
  await begin(short, shell("true")).ended;
  await expect.poll(() => short.list(me)).toEqual([]);
});
