import { randomUUID } from "node:crypto";
import { JobKind, OutcomeKind } from "@cmdop/proto";
import { expect, test } from "vitest";
import { type Clients, collect, line, machine } from "./test-support.ts";

const SIZE = { cols: 60, rows: 10 };

function shellRequest(script = "stty size; exec cat") {
  return { sessionId: randomUUID(), shell: ["/bin/sh", "-c", script], size: SIZE };
}

async function* typed(jobId: string, text: string) {
  yield { jobId, writerId: randomUUID(), offset: 0n, data: Buffer.from(text) };
}

/** Waits until the screen shows a line. */
async function shows({ sessions }: Clients, sessionId: string, text: string): Promise<void> {
  const lines = async () => (await sessions.screen({ sessionId })).lines;
  await expect.poll(lines, { timeout: 20_000 }).toContain(text);
}

test("a session is created, typed to, resized, seen, listed and closed", async () => {
  const clients = (await machine()).as("mine");
  const { sessions, jobs } = clients;
  const request = shellRequest();
  const { sessionId } = request;
  const created = await sessions.create(request);
  expect(created).toMatchObject({ attached: false, pid: expect.any(Number) });
  expect(created.pid).toBeGreaterThan(1);
  await shows(clients, sessionId, "10 60");

  for await (const { accepted } of jobs.input(typed(sessionId, "hello\n"))) expect(accepted).toBe(6n);
  await expect.poll(async () => (await sessions.history({ sessionId })).text).toBe("10 60\nhello\nhello");
  await sessions.resize({ sessionId, size: { cols: 100, rows: 30 } });
  const screen = await sessions.screen({ sessionId });
  expect(screen).toMatchObject({
    size: { cols: 100, rows: 30 },
    cursorRow: 3,
    cursorCol: 0,
    alternate: false,
  });
  expect(screen.lines).toHaveLength(30);
  const { jobs: listed } = await jobs.list({ kind: JobKind.SESSION });
  expect(listed).toMatchObject([{ jobId: sessionId, kind: JobKind.SESSION, outputEnd: screen.offset }]);

  const { outcome } = await jobs.cancel({ jobId: sessionId });
  expect(outcome).toMatchObject({ kind: OutcomeKind.CANCELED, signal: "SIGHUP" });
  const { stdout } = await collect(jobs.attach({ jobId: sessionId }));
  expect(stdout).toBe("10 60\r\nhello\r\nhello\r\n");
  await expect(sessions.resize({ sessionId, size: SIZE })).rejects.toMatchObject({ code: "JobEnded" });
  expect((await sessions.history({ sessionId, maxLines: 1 })).text).toBe("hello");
});

test("promise 2: a session that is created again is the same; with another request it is refused", async () => {
  const { sessions } = (await machine()).as("mine");
  const request = shellRequest();
  const { pid } = await sessions.create(request);
  await expect(sessions.create(request)).resolves.toMatchObject({ pid, attached: true });
  await expect(sessions.create({ ...request, cwd: "/" })).rejects.toMatchObject({ code: "JobConflict" });
});

test("promise 10: a session that can't be started says why and what to do, and its job's outcome stays honest", async () => {
  const { sessions, jobs } = (await machine()).as("mine");
  const request = { ...shellRequest(), shell: ["/no/such/shell"] };
  const refused = {
    code: "InvalidArgument",
    message: expect.stringContaining("/no/such/shell was not found"),
    next: expect.stringContaining("shell"),
  };
  await expect(sessions.create(request)).rejects.toMatchObject(refused);
  await expect(sessions.create(request)).rejects.toMatchObject(refused);
  const { outcome } = await collect(jobs.attach({ jobId: request.sessionId }));
  expect(outcome).toMatchObject({ kind: OutcomeKind.FAILED_TO_START });
});

test("a command has no terminal; sizes are checked", async () => {
  const { sessions, exec, jobs } = (await machine()).as("mine");
  const command = line("sleep 60");
  const output = collect(exec.start(command));
  await expect.poll(async () => (await jobs.list({})).jobs.length).toBe(1);
  const sessionId = command.jobId;
  const noTerminal = { code: "InvalidArgument", message: expect.stringContaining("is a command") };
  await expect(sessions.screen({ sessionId })).rejects.toMatchObject(noTerminal);
  await expect(sessions.history({ sessionId })).rejects.toMatchObject(noTerminal);
  await expect(sessions.resize({ sessionId, size: SIZE })).rejects.toMatchObject(noTerminal);
  await jobs.cancel({ jobId: command.jobId });
  await output;

  const request = shellRequest();
  const size = { cols: 501, rows: 10 };
  await expect(sessions.create({ ...request, size })).rejects.toMatchObject({ code: "InvalidArgument" });
  await sessions.create(request);
  const wrong = sessions.resize({ sessionId: request.sessionId, size });
  await expect(wrong).rejects.toMatchObject({ code: "InvalidArgument" });
  const without = sessions.resize({ sessionId: request.sessionId });
  await expect(without).rejects.toMatchObject({ code: "InvalidArgument" });
});

test("promise 5: other keys neither see a session nor touch it", async () => {
  const { as } = await machine();
  const [mine, theirs] = [as("mine"), as("theirs")];
  const { sessionId, ...request } = shellRequest();
  await mine.sessions.create({ sessionId, ...request });
  const unknown = { code: "JobUnknown" };
  await expect(theirs.sessions.screen({ sessionId })).rejects.toMatchObject(unknown);
  await expect(theirs.sessions.history({ sessionId })).rejects.toMatchObject(unknown);
  await expect(theirs.sessions.resize({ sessionId, size: SIZE })).rejects.toMatchObject(unknown);
});
