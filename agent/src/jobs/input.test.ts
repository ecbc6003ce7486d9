import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Job } from "./job.ts";
import { argv, begin, collect, firstLine, follow, newJobs, run, shell, until } from "./test-support.ts";

const MiB = 1024 * 1024;

function writer(job: Job, writerId: string = randomUUID()) {
  return (
    offset: number,
    text: string | Uint8Array,
    { eof = false, signal }: { eof?: boolean; signal?: AbortSignal } = {},
  ) =>
    job.input(
      { writerId, offset: BigInt(offset), data: typeof text === "string" ? Buffer.from(text) : text, eof },
      signal,
    );
}

const cat = (job: Job) => collect(follow(job)).then(({ stdout }) => stdout.toString());

test("inline input arrives, then end of file", async () => {
  const stdin = Buffer.alloc(MiB, "0123456789");
  const { stdout, outcome } = await run(newJobs(), argv(["cat"], { stdin }));
  expect(stdout.equals(stdin)).toBe(true);
  expect(outcome).toMatchObject({ exitCode: 0 });
});

test("without input there is end of file at once", async () => {
  await expect(run(newJobs(), argv(["cat"]))).resolves.toMatchObject({ outcome: { exitCode: 0 } });
});

test.each(["/dev/stdin", "/proc/self/fd/0"])("a program can open %s by its name", async (path) => {
  const { stdout } = await run(newJobs(), argv(["cat", path], { stdin: Buffer.from("input") }));
  expect(stdout.toString()).toBe("input");
});

test("promise 3: streamed input can be opened by its name too, after its end as well, and is a pipe to bash", async () => {
  const line = "cat /dev/stdin; cat /dev/stdin; readlink /proc/self/fd/0";
  const job = begin(newJobs(), shell(line, { stdinOpen: true }));
  const output = cat(job);
  await writer(job)(0, "streamed\n", { eof: true });
  expect(await output).toMatch(/^streamed\npipe:\[\d+\]\n$/);
});

test("inline input comes before streamed input, which stays open until eof", async () => {
  const job = begin(newJobs(), argv(["cat"], { stdinOpen: true, stdin: Buffer.from("first ") }));
  const output = cat(job);
  const write = writer(job);
  await expect(write(0, "second ")).resolves.toBe(7n);
  await expect(write(7, "third", { eof: true })).resolves.toBe(12n);
  expect(await output).toBe("first second third");
});

test("promise 3: what comes twice is taken once", async () => {
  const job = begin(newJobs(), argv(["cat"], { stdinOpen: true }));
  const write = writer(job);
  await write(0, "0123");
  await expect(write(0, "0123")).resolves.toBe(4n);
  await expect(write(2, "2345")).resolves.toBe(6n);
  await expect(write(0, "01234567", { eof: true })).resolves.toBe(8n);
  await expect(write(0, "01234567", { eof: true })).resolves.toBe(8n);
  expect(await cat(job)).toBe("01234567");
});

test("promise 3: a gap is refused, and says how to go on", async () => {
  const job = begin(newJobs(), argv(["cat"], { stdinOpen: true }));
  const write = writer(job);
  await write(0, "012");
  await expect(write(4, "4")).rejects.toMatchObject({
    code: "InputGap",
    message: expect.stringContaining("only 3 bytes"),
  });
  await expect(write(3, "34", { eof: true })).resolves.toBe(5n);
  expect(await cat(job)).toBe("01234");
});

test("two writers have offsets of their own", async () => {
  const job = begin(newJobs(), argv(["cat"], { stdinOpen: true }));
  const [one, two] = [writer(job), writer(job)];
  await one(0, "a");
  await two(0, "b");
  await one(1, "c");
  await two(1, "", { eof: true });
  expect(await cat(job)).toBe("abc");
});

test("after eof only what came before is acknowledged", async () => {
  const job = begin(newJobs(), shell("cat; sleep 60", { stdinOpen: true }));
  const write = writer(job);
  await write(0, "a", { eof: true });
  await expect(write(0, "a")).resolves.toBe(1n);
  await expect(write(1, "b")).rejects.toMatchObject({ code: "JobEnded" });
});

test("a process that closes its input is no failure, and its writer is told", async () => {
  const job = begin(newJobs(), shell("exec 0<&-; echo closed; sleep 60", { stdinOpen: true }));
  expect(await firstLine(job)).toBe("closed");
  const write = writer(job);
  await expect(
    (async () => {
      for (let offset = 0; ; offset += 1000) await write(offset, "x".repeat(1000));
    })(),
  ).rejects.toMatchObject({ code: "JobEnded" });
  expect(job.outcome).toBeUndefined();
});

test("a process that ends without reading its inline input ends as it ends", async () => {
  const { outcome } = await run(newJobs(), shell("exit 6", { stdin: new Uint8Array(MiB) }));
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 6 });
});

test("promise 9: a process that never reads holds its writers back, in bounded memory, until it ends", async () => {
  const jobs = newJobs();
  const job = begin(jobs, argv(["sleep", "60"], { stdinOpen: true }));
  const write = writer(job);
  const piece = new Uint8Array(64 * 1024);
  let accepted = 0;
  const writing = (async () => {
    for (;;) {
      await write(accepted, piece);
      accepted += piece.length;
    }
  })();
  const settled = writing.catch((error: unknown) => error);
  let before = -1;
  await until(async () => {
    const same = accepted === before;
    before = accepted;
    await run(jobs, argv(["sleep", "0.05"]));
    return same;
  });
  expect(accepted).toBeLessThan(4 * MiB);
  await job.stop({ kind: "canceled", reason: "test" });
  await expect(settled).resolves.toMatchObject({ code: "JobEnded" });
});

test("a piece that was cut off while it waited for its turn is not taken, and can be sent again", async () => {
  const job = begin(newJobs(), shell("kill -STOP $$; exec cat", { stdinOpen: true }));
  // A SIGCONT that came before the stop would be for nothing.
  const pid = await job.pid;
  await until(async () => (await readFile(`/proc/${pid}/stat`, "latin1")).includes(") T "));
  const write = writer(job);
  const piece = (index: number): Uint8Array => new Uint8Array(64 * 1024).fill(index);
  const cut = new AbortController();
  const pieces = Array.from({ length: 20 }, (_, index) =>
    write(index * 65_536, piece(index), { signal: cut.signal }),
  );
  // The pipe is full: one piece waits in it, the others for their turn.
  await Promise.race(pieces);
  cut.abort();
  const output = collect(follow(job));
  job.signal("SIGCONT");
  const accepted = Math.max(...(await Promise.all(pieces)).map(Number));
  expect(accepted).toBeLessThan(20 * 65_536);
  for (let index = accepted / 65_536; index < 20; index += 1) await write(index * 65_536, piece(index));
  await write(20 * 65_536, "", { eof: true });
  const { stdout } = await output;
  expect(stdout.equals(Buffer.concat(Array.from({ length: 20 }, (_, index) => piece(index))))).toBe(true);
});

test("input for a job that takes none, that has ended, or in too large a piece, is refused", async () => {
  const jobs = newJobs();
  const closed = begin(jobs, argv(["sleep", "60"]));
  await expect(writer(closed)(0, "x")).rejects.toMatchObject({ code: "InvalidArgument" });
  const ended = begin(jobs, shell("true", { stdinOpen: true }));
  await ended.ended;
  await expect(writer(ended)(0, "x")).rejects.toMatchObject({ code: "JobEnded" });
  const open = begin(jobs, argv(["cat"], { stdinOpen: true }));
  await expect(writer(open)(0, new Uint8Array(65_537))).rejects.toMatchObject({ code: "MessageTooLarge" });
});

test("promise 1: input for what could not be started is told that it has ended, however early it comes", async () => {
  const jobs = newJobs();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const missing = begin(jobs, argv(["/no/such/program"], { stdinOpen: true }));
    await expect(writer(missing)(0, "x")).rejects.toMatchObject({ code: "JobEnded" });
    expect((await missing.ended).kind).toBe("failed_to_start");
  }
});

test("promise 9: the writers to one job are bounded", async () => {
  const job = begin(newJobs({ maxInputWriters: 2 }), argv(["cat"], { stdinOpen: true }));
  await writer(job)(0, "a");
  await writer(job)(0, "b");
  await expect(writer(job)(0, "c")).rejects.toMatchObject({ code: "LimitExceeded" });
});
