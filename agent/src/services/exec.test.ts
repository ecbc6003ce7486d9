import { randomUUID } from "node:crypto";
import { OutcomeKind } from "@cmdop/proto";
import { expect, test } from "vitest";
import { collect, line, machine } from "./test-support.ts";

test("a command's events cross the wire: started, output on both channels, ended", async () => {
  const { exec } = (await machine()).as("mine");
  const request = line("echo out; sleep 0.05; echo err >&2; exit 3");
  const { events, stdout, stderr, outcome } = await collect(exec.start(request));
  expect(events.map(({ offset, kind }) => [kind.case, offset])).toEqual([
    ["started", 0n],
    ["output", 0n],
    ["output", 4n],
    ["ended", 8n],
  ]);
  expect(events[0]?.kind.value).toMatchObject({
    jobId: request.jobId,
    attached: false,
    pid: expect.any(Number),
  });
  expect([stdout, stderr]).toEqual(["out\n", "err\n"]);
  expect(outcome).toMatchObject({ kind: OutcomeKind.EXITED, exitCode: 3, reason: "" });
  expect(outcome?.signal).toBeUndefined();
});

test.each([
  ["kill -9 $$", 0, { kind: OutcomeKind.SIGNALED, signal: "SIGKILL" }],
  ["sleep 60", 1000, { kind: OutcomeKind.TIMED_OUT }],
])("promise 1: the outcome of `%s` is told, with no exit code", async (value, timeoutMs, expected) => {
  const { exec } = (await machine()).as("mine");
  const { outcome } = await collect(exec.start(line(value, { timeoutMs })));
  expect(outcome).toMatchObject(expected);
  expect(outcome?.exitCode).toBeUndefined();
});

test("a missing program in argv failed to start", async () => {
  const { exec } = (await machine()).as("mine");
  const request = {
    jobId: randomUUID(),
    command: { case: "argv" as const, value: { args: ["no-such-program"] } },
  };
  const { outcome } = await collect(exec.start(request));
  expect(outcome).toMatchObject({
    kind: OutcomeKind.FAILED_TO_START,
    reason: expect.stringContaining("not found"),
  });
});

test.each([
  ["no command", { jobId: randomUUID() }, "InvalidArgument"],
  ["no UUID", { ...line("true"), jobId: "x" }, "InvalidArgument"],
  ["a NUL", line("echo \0"), "InvalidArgument"],
  ["too much input", line("cat", { stdin: new Uint8Array(2 ** 20 + 1) }), "MessageTooLarge"],
])("a Start with %s is refused", async (_name, request, code) => {
  const { exec } = (await machine()).as("mine");
  await expect(collect(exec.start(request))).rejects.toMatchObject({ code });
});

test("promise 9: a caller that does not read its stream blocks its own job's pipe, in bounded memory", async () => {
  const { core, as } = await machine();
  const { exec, jobs } = as("mine");
  const request = line("yes | head -c 60000000; echo finished >&2");
  const stream = exec.start(request)[Symbol.asyncIterator]();
  await stream.next();
  let before = -1n;
  await expect
    .poll(
      async () => {
        const { jobs: listed } = await jobs.list({});
        const end = listed[0]?.outputEnd ?? 0n;
        const blocked = end > 0n && end === before;
        before = end;
        return blocked;
      },
      { interval: 200, timeout: 20_000 },
    )
    .toBe(true);
  expect(core.outputBytes).toBeLessThan(16 * 2 ** 20);
  const rest = await collect({ [Symbol.asyncIterator]: () => stream });
  expect(rest.stdout.length).toBe(60_000_000);
  expect(rest.stderr).toBe("finished\n");
  expect(rest.outcome).toMatchObject({ exitCode: 0 });
});
