import { randomUUID } from "node:crypto";
import {
  Channel,
  createClient,
  Exec,
  type JobEvent,
  type Outcome,
  OutcomeKind,
  type Scope,
  type ServiceClient,
  serve,
} from "@cmdop/proto";
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { execHandlers } from "./exec.ts";

/** The service on a real server; the header names the key, and `+admin` after it the scope. */
async function machine(): Promise<{ jobs: Jobs; as: (key: string) => ServiceClient<typeof Exec> }> {
  const jobs = new Jobs();
  const server = new Server();
  const admit = async ({ header }: { header(name: string): string | undefined }): Promise<Caller> => {
    const [keyId = "", scope] = (header("x-test-key") ?? "").split("+");
    const scopes = new Set<Scope>(scope === "admin" ? ["terminal", "admin"] : ["terminal"]);
    return { door: "local", keyId, keyName: keyId, scopes, roots: [] };
  };
  serve(server, Exec, admit, execHandlers(jobs));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(async () => {
    await jobs.shutdown();
    channel.close();
    server.forceShutdown();
  });
  const client = createClient(Exec, () => channel);
  const as = (key: string): ServiceClient<typeof Exec> => {
    const headers = { "x-test-key": key };
    return {
      start: (request, options) => client.start(request, { ...options, headers }),
      attach: (request, options) => client.attach(request, { ...options, headers }),
      input: (requests, options) => client.input(requests, { ...options, headers }),
      cancel: (request, options) => client.cancel(request, { ...options, headers }),
      signal: (request, options) => client.signal(request, { ...options, headers }),
      list: (request, options) => client.list(request, { ...options, headers }),
    };
  };
  return { jobs, as };
}

function line(value: string, more: { stdinOpen?: boolean; stdin?: Uint8Array; timeoutMs?: number } = {}) {
  return { jobId: randomUUID(), command: { case: "shell", value }, ...more } as const;
}

interface Seen {
  readonly events: JobEvent[];
  readonly stdout: string;
  readonly stderr: string;
  readonly outcome: Outcome | undefined;
}

async function collect(messages: AsyncIterable<{ event?: JobEvent | undefined }>): Promise<Seen> {
  const events: JobEvent[] = [];
  for await (const { event } of messages) if (event !== undefined) events.push(event);
  const text = (channel: Channel): string =>
    events
      .map(({ kind }) =>
        kind.case === "output" && kind.value.channel === channel
          ? Buffer.from(kind.value.data).toString()
          : "",
      )
      .join("");
  const last = events.at(-1)?.kind;
  return {
    events,
    stdout: text(Channel.STDOUT),
    stderr: text(Channel.STDERR),
    outcome: last?.case === "ended" ? last.value.outcome : undefined,
  };
}

test("a command's events cross the wire: started, output on both channels, ended", async () => {
  const exec = (await machine()).as("mine");
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
  ["kill -9 $$", { kind: OutcomeKind.SIGNALED, signal: "SIGKILL" }],
  ["sleep 60", { kind: OutcomeKind.TIMED_OUT, signal: "SIGTERM" }],
])("promise 1: the outcome of `%s` is told, with no exit code", async (value, expected) => {
  const exec = (await machine()).as("mine");
  const { outcome } = await collect(exec.start(line(value, { timeoutMs: 1000 })));
  expect(outcome).toMatchObject(expected);
  expect(outcome?.exitCode).toBeUndefined();
});

test("a missing program in argv failed to start", async () => {
  const exec = (await machine()).as("mine");
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
  const exec = (await machine()).as("mine");
  await expect(collect(exec.start(request))).rejects.toMatchObject({ code });
});

test("promise 4: a caller that goes away harms nothing, and finds all of it when it comes back", async () => {
  const { jobs, as } = await machine();
  const exec = as("mine");
  const request = line("echo one; read go; echo two", { stdinOpen: true });
  for await (const { event } of exec.start(request)) if (event?.kind.case === "output") break;
  const gone = new AbortController();
  const watching = collect(exec.attach({ jobId: request.jobId }, { signal: gone.signal }));
  gone.abort();
  await expect(watching).rejects.toMatchObject({ code: "Canceled" });
  expect(jobs.running).toBe(1);

  const again = collect(exec.start({ ...request, after: 2n }));
  await expect(sendAll(exec, request.jobId, ["go\n"])).resolves.toEqual([3n, 3n]);
  const { events, stdout, outcome } = await again;
  expect(events[0]?.kind.value).toMatchObject({ attached: true });
  expect(stdout).toBe("e\ntwo\n");
  expect(outcome).toMatchObject({ exitCode: 0 });
  expect((await collect(exec.attach({ jobId: request.jobId, after: 4n }))).stdout).toBe("two\n");
});

async function sendAll(
  exec: ServiceClient<typeof Exec>,
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
  for await (const { accepted } of exec.input(pieces())) answers.push(accepted);
  return answers;
}

test("input streams in pieces; each is answered, and the end of the stream is not the end of the input", async () => {
  const exec = (await machine()).as("mine");
  const request = line("cat", { stdinOpen: true });
  const output = collect(exec.start(request));
  const writerId = randomUUID();
  async function* first() {
    yield { jobId: request.jobId, writerId, offset: 0n, data: Buffer.from("one ") };
  }
  for await (const { accepted } of exec.input(first())) expect(accepted).toBe(4n);
  await expect(sendAll(exec, request.jobId, ["one ", "two"], writerId)).resolves.toEqual([4n, 7n, 7n]);
  expect((await output).stdout).toBe("one two");
});

test.each([
  ["a gap", { offset: 9n }, "InputGap"],
  ["no writer", { writerId: "" }, "InvalidArgument"],
  ["another key's job", { jobId: randomUUID() }, "JobUnknown"],
])("input with %s is refused", async (_name, wrong, code) => {
  const exec = (await machine()).as("mine");
  const request = line("cat", { stdinOpen: true });
  const output = collect(exec.start(request));
  async function* pieces() {
    yield { jobId: request.jobId, writerId: randomUUID(), offset: 0n, data: Buffer.from("x"), ...wrong };
  }
  const sending = async (): Promise<void> => {
    for await (const answer of exec.input(pieces())) expect(answer).toBeUndefined();
  };
  await started(exec, request.jobId);
  await expect(sending()).rejects.toMatchObject({ code });
  await exec.cancel({ jobId: request.jobId });
  await expect(output).resolves.toMatchObject({ outcome: { kind: OutcomeKind.CANCELED } });
});

async function started(exec: ServiceClient<typeof Exec>, jobId: string): Promise<void> {
  await expect.poll(async () => (await exec.list({})).jobs.map((job) => job.jobId)).toContain(jobId);
}

test("Cancel waits for the end and answers the outcome; Signal names are checked", async () => {
  const exec = (await machine()).as("mine");
  const request = line("sleep 60");
  const output = collect(exec.start(request));
  await started(exec, request.jobId);
  const { jobId } = request;
  await expect(exec.signal({ jobId, signal: "SIGNOTHING" })).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await exec.signal({ jobId, signal: "SIGWINCH" });
  const { outcome } = await exec.cancel({ jobId });
  expect(outcome).toMatchObject({ kind: OutcomeKind.CANCELED, signal: "SIGTERM" });
  expect((await output).outcome).toEqual(outcome);
  await expect(exec.signal({ jobId, signal: "SIGINT" })).rejects.toMatchObject({ code: "JobEnded" });
});

test("a Cancel without its Start is unknown, and the late Start ends canceled", async () => {
  const exec = (await machine()).as("mine");
  const request = line("echo ran");
  const { outcome } = await exec.cancel({ jobId: request.jobId });
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
  const output = collect(mine.start(request));
  await started(mine, jobId);
  await expect(collect(theirs.attach({ jobId }))).rejects.toMatchObject({ code: "JobUnknown" });
  await expect(theirs.signal({ jobId, signal: "SIGKILL" })).rejects.toMatchObject({ code: "JobUnknown" });
  expect((await theirs.cancel({ jobId })).outcome).toMatchObject({ kind: OutcomeKind.UNKNOWN });
  expect((await theirs.list({})).jobs).toEqual([]);
  expect((await admin.list({})).jobs).toMatchObject([{ jobId, command: "sleep 60", outputBytes: 0n }]);
  expect((await admin.cancel({ jobId })).outcome).toMatchObject({ kind: OutcomeKind.CANCELED });
  expect((await admin.list({})).jobs).toMatchObject([{ outcome: { kind: OutcomeKind.CANCELED } }]);
  await output;
});

test("promise 9: a caller that does not read its stream blocks its own job's pipe, in bounded memory", async () => {
  const { jobs, as } = await machine();
  const exec = as("mine");
  const request = line("yes | head -c 60000000; echo finished >&2");
  const stream = exec.start(request)[Symbol.asyncIterator]();
  await stream.next();
  let before = -1n;
  await expect
    .poll(
      async () => {
        const { jobs: listed } = await exec.list({});
        const bytes = listed[0]?.outputBytes ?? 0n;
        const blocked = bytes > 0n && bytes === before;
        before = bytes;
        return blocked;
      },
      { interval: 200, timeout: 20_000 },
    )
    .toBe(true);
  expect(jobs.outputBytes).toBeLessThan(16 * 2 ** 20);
  const rest = await collect({ [Symbol.asyncIterator]: () => stream });
  expect(rest.stdout.length).toBe(60_000_000);
  expect(rest.stderr).toBe("finished\n");
  expect(rest.outcome).toMatchObject({ exitCode: 0 });
});
