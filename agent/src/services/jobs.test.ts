import { randomUUID } from "node:crypto";
import { JobKind, OutcomeKind } from "@cmdop/proto";
import { expect, test } from "vitest";
import { type Clients, collect, line, machine, started } from "./test-support.ts";

test("promise 4: a caller that goes away harms nothing, and finds all of it when it comes back", async () => {
  const { core, as } = await machine();
  const { exec, jobs } = as("mine");
  const request = line("echo one; read go; echo two", { stdinOpen: true });
  for await (const { event } of exec.start(request)) if (event?.kind.case === "output") break;
  const gone = new AbortController();
  const watching = collect(jobs.attach({ jobId: request.jobId }, { signal: gone.signal }));
  gone.abort();
  await expect(watching).rejects.toMatchObject({ code: "Canceled" });
  expect(core.running).toBe(1);

  const again = collect(exec.start({ ...request, after: 2n }));
  await expect(sendAll(jobs, request.jobId, ["go\n"])).resolves.toEqual([3n, 3n]);
  const { events, stdout, outcome } = await again;
  expect(events[0]?.kind.value).toMatchObject({ attached: true });
  expect(stdout).toBe("e\ntwo\n");
  expect(outcome).toMatchObject({ exitCode: 0 });
  expect((await collect(jobs.attach({ jobId: request.jobId, after: 4n }))).stdout).toBe("two\n");
});

test("input streams in pieces; each is answered, and the end of the stream is not the end of the input", async () => {
  const { exec, jobs } = (await machine()).as("mine");
  const request = line("cat", { stdinOpen: true });
  const output = collect(exec.start(request));
  const writerId = randomUUID();
  async function* first() {
    yield { jobId: request.jobId, writerId, offset: 0n, data: Buffer.from("one ") };
  }
  for await (const { accepted } of jobs.input(first())) expect(accepted).toBe(4n);
  await expect(sendAll(jobs, request.jobId, ["one ", "two"], writerId)).resolves.toEqual([4n, 7n, 7n]);
  expect((await output).stdout).toBe("one two");
});

test.each([
  ["a gap", { offset: 9n }, "InputGap"],
  ["no writer", { writerId: "" }, "InvalidArgument"],
  ["an unknown job", { jobId: randomUUID() }, "JobUnknown"],
])("input with %s is refused", async (_name, wrong, code) => {
  const { exec, jobs } = (await machine()).as("mine");
  const request = line("cat", { stdinOpen: true });
  const output = collect(exec.start(request));
  async function* pieces() {
    yield { jobId: request.jobId, writerId: randomUUID(), offset: 0n, data: Buffer.from("x"), ...wrong };
  }
  const sending = async (): Promise<void> => {
    for await (const answer of jobs.input(pieces())) expect(answer).toBeUndefined();
  };
  await started(jobs, request.jobId);
  await expect(sending()).rejects.toMatchObject({ code });
  await jobs.cancel({ jobId: request.jobId });
  await expect(output).resolves.toMatchObject({ outcome: { kind: OutcomeKind.CANCELED } });
});

test("Cancel waits for the end and answers the outcome; Signal names are checked", async () => {
  const { exec, jobs } = (await machine()).as("mine");
  const request = line("sleep 60");
  const output = collect(exec.start(request));
  await started(jobs, request.jobId);
  const { jobId } = request;
  await expect(jobs.signal({ jobId, signal: "SIGNOTHING" })).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await jobs.signal({ jobId, signal: "SIGWINCH" });
  const { outcome } = await jobs.cancel({ jobId });
  expect(outcome).toMatchObject({ kind: OutcomeKind.CANCELED, signal: "SIGTERM" });
  expect((await output).outcome).toEqual(outcome);
  await expect(jobs.signal({ jobId, signal: "SIGINT" })).rejects.toMatchObject({ code: "JobEnded" });
});

test("a Cancel without its Start is unknown, and the late Start ends canceled", async () => {
  const { exec, jobs } = (await machine()).as("mine");
  const request = line("echo ran");
  const { outcome } = await jobs.cancel({ jobId: request.jobId });
  expect(outcome).toMatchObject({
    kind: OutcomeKind.UNKNOWN,
    reason: expect.stringContaining("no such job"),
  });
  const late = await collect(exec.start(request));
  expect(late.outcome).toMatchObject({ kind: OutcomeKind.CANCELED });
  expect(late.stdout).toBe("");
});

test("promise 5: other keys see nothing, with admin all", async () => {
  const { as } = await machine();
  const [mine, theirs, admin] = [as("mine"), as("theirs"), as("boss+admin")];
  const request = line("sleep 60");
  const { jobId } = request;
  const output = collect(mine.exec.start(request));
  await started(mine.jobs, jobId);
  await expect(collect(theirs.jobs.attach({ jobId }))).rejects.toMatchObject({ code: "JobUnknown" });
  await expect(theirs.jobs.signal({ jobId, signal: "SIGKILL" })).rejects.toMatchObject({
    code: "JobUnknown",
  });
  expect((await theirs.jobs.cancel({ jobId })).outcome).toMatchObject({ kind: OutcomeKind.UNKNOWN });
  expect((await theirs.jobs.list({})).jobs).toEqual([]);
  expect((await admin.jobs.list({})).jobs).toMatchObject([{ jobId, command: "sleep 60", outputEnd: 0n }]);
  expect((await admin.jobs.cancel({ jobId })).outcome).toMatchObject({ kind: OutcomeKind.CANCELED });
  expect((await admin.jobs.list({})).jobs).toMatchObject([{ outcome: { kind: OutcomeKind.CANCELED } }]);
  await output;
});

test("List tells each job's kind and where its output begins and ends, and only what was asked for", async () => {
  const { exec, jobs } = (await machine()).as("mine");
  const ended = line("echo hello");
  await collect(exec.start(ended));
  const running = line("sleep 60");
  const output = collect(exec.start(running));
  await started(jobs, running.jobId);
  const ids = async (request: { kind?: JobKind; running?: boolean }) =>
    (await jobs.list(request)).jobs.map(({ jobId }) => jobId);

  expect((await jobs.list({})).jobs).toMatchObject([
    { jobId: running.jobId, kind: JobKind.EXEC, outputStart: 0n, outputEnd: 0n },
    { jobId: ended.jobId, kind: JobKind.EXEC, outputStart: 0n, outputEnd: 6n },
  ]);
  expect(await ids({ kind: JobKind.EXEC })).toEqual([running.jobId, ended.jobId]);
  expect(await ids({ kind: JobKind.SESSION })).toEqual([]);
  expect(await ids({ running: true })).toEqual([running.jobId]);
  await jobs.cancel({ jobId: running.jobId });
  await output;
});

async function sendAll(
  jobs: Clients["jobs"],
  jobId: string,
  texts: string[],
  writerId: string = randomUUID(),
): Promise<bigint[]> {
  async function* pieces() {
    let offset = 0n;
    for (const text of texts) {
      yield { jobId, writerId, offset, data: Buffer.from(text) };
      offset += BigInt(text.length);
    }
    yield { offset, eof: true };
  }
  const answers: bigint[] = [];
  for await (const { accepted } of jobs.input(pieces())) answers.push(accepted);
  return answers;
}
