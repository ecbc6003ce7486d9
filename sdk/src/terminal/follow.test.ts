import { randomUUID } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { cut, dropped, ended, output, scriptedMachine, started } from "../testing/scripted-machine.ts";
import { Terminal } from "./terminal.ts";

type Answer = ReturnType<typeof started | typeof output | typeof dropped | typeof ended>;

/** Makes a terminal of a machine that answers each call with the next of these, and records the requests. */
async function machineThat(answers: readonly (() => AsyncIterable<Answer>)[]) {
  const asked: string[] = [];
  const ids = new Set<string>();
  let next = 0;
  const answer = (call: string, { jobId, after }: { jobId: string; after: bigint }) => {
    asked.push(`${call} ${after}`);
    ids.add(jobId);
    const script = answers[next];
    next += 1;
    if (script === undefined) throw new CmdopError("Unimplemented", "the script is over");
    return script();
  };
  const machine = await scriptedMachine({
    start: (request) => answer("start", request),
    attach: (request) => answer("attach", request),
  });
  return Object.assign(machine, { asked, ids, terminal: new Terminal(machine.caller) });
}

const refuse = (code: ConstructorParameters<typeof CmdopError>[0]) => (): never => {
  throw new CmdopError(code, "No.");
};

describe("promise 2: until the machine has said that the job is there", () => {
  it("a lost Start is sent again with the same id", async () => {
    await using machine = await machineThat([
      refuse("LinkLost"),
      refuse("LinkLost"),
      async function* () {
        yield started("j");
        yield output(0, "once");
        yield ended(4, 3);
      },
    ]);
    expect(await machine.terminal.execute("x")).toMatchObject({
      stdout: "once",
      exitCode: 3,
      status: "done",
    });
    expect(machine.asked).toEqual(["start 0", "start 0", "start 0"]);
    expect(machine.ids.size).toBe(1);
  });

  it.each(["PermissionDenied", "MachineOffline", "LimitExceeded", "InvalidArgument"] as const)(
    "a first Start that is refused with %s is thrown",
    async (code) => {
      await using machine = await machineThat([refuse(code)]);
      await expect(machine.terminal.execute("x")).rejects.toMatchObject({ code });
      expect(machine.asked).toEqual(["start 0"]);
    },
  );

  it("an id that belongs to another request is thrown also after a lost Start: this command never ran", async () => {
    await using machine = await machineThat([refuse("LinkLost"), refuse("JobConflict")]);
    await expect(machine.terminal.execute("x")).rejects.toMatchObject({ code: "JobConflict" });
  });

  it("promise 1: every other refusal after a lost Start is unknown, and says why", async () => {
    await using machine = await machineThat([refuse("LinkLost"), refuse("KeyRevoked")]);
    expect(await machine.terminal.execute("x")).toMatchObject({
      outcome: "unknown",
      exitCode: null,
      reason: expect.stringContaining("No."),
    });
  });
});

describe("promise 3: once it is there", () => {
  it("only Attach is sent, behind what has been read or dropped, and nothing is told twice", async () => {
    await using machine = await machineThat([
      async function* () {
        yield started("j");
        yield output(0, "one ");
        throw cut();
      },
      async function* () {
        yield started("j");
        yield dropped(4, 10);
        throw cut();
      },
      async function* () {
        yield started("j");
        yield output(14, "two");
        yield ended(17);
      },
    ]);
    const types: string[] = [];
    for await (const { type } of machine.terminal.stream("x")) types.push(type);
    expect(types).toEqual(["started", "stdout", "dropped", "stdout", "ended"]);
    expect(machine.asked).toEqual(["start 0", "attach 4", "attach 14"]);
  });

  it("the loss and the return are told once each", async () => {
    await using machine = await machineThat([
      async function* () {
        yield started("j");
        throw cut();
      },
      refuse("MachineOffline"),
      refuse("LinkLost"),
      async function* () {
        yield started("j");
        yield ended(0);
      },
    ]);
    const told: string[] = [];
    await machine.terminal.execute("x", { onLink: (state) => told.push(state) });
    expect(told).toEqual(["lost", "back"]);
  });

  it("promise 1: a job that the machine does not know any more is unknown", async () => {
    await using machine = await machineThat([
      async function* () {
        yield started("j");
        throw cut();
      },
      refuse("JobUnknown"),
    ]);
    const result = await machine.terminal.execute("x");
    expect(result).toMatchObject({
      outcome: "unknown",
      reason: expect.stringContaining("does not know the job"),
    });
  });

  it("promise 1: a connection that does not come back within the window makes it unknown, with the job's id", async () => {
    await using machine = await machineThat([
      async function* () {
        yield started("j");
        throw cut();
      },
      ...Array.from({ length: 1000 }, () => refuse("LinkLost")),
    ]);
    const result = await machine.terminal.execute("x", { reconnectWindowMs: 20 });
    expect(result).toMatchObject({ outcome: "unknown", reason: expect.stringContaining(result.jobId) });
  });

  it("a client that is closed ends it as unknown, since the job goes on", async () => {
    const isRead = Promise.withResolvers<void>();
    await using machine = await machineThat([
      async function* () {
        yield started("j");
        isRead.resolve();
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      },
    ]);
    const running = machine.terminal.execute("x");
    await isRead.promise;
    machine.transport.close();
    expect(await running).toMatchObject({ outcome: "unknown", reason: expect.stringContaining("closed") });
    await expect(machine.terminal.execute("x")).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("a soft limit", () => {
  /** The wait ends at once with `started`, so the output comes before it. */
  const slow = async function* () {
    yield output(0, "so far, ");
    yield started("j");
    await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  };
  const rest = async function* () {
    yield started("j");
    yield output(8, "and the rest");
    yield ended(20, 4);
  };

  it("answers with what was written so far; the result is the whole", async () => {
    await using machine = await machineThat([slow, rest, rest]);
    const running = await machine.terminal.execute("x", { waitMs: 0 });
    if (running.status !== "running") throw new TypeError("not running");
    expect(running).toMatchObject({ stdout: "so far, ", after: 8, truncated: false });
    const results = await Promise.all([running.result(), running.result()]);
    expect(results).toMatchObject([
      { status: "done", stdout: "so far, and the rest", exitCode: 4 },
      { stdout: "so far, and the rest" },
    ]);
    expect(machine.asked).toEqual(["start 0", "attach 8", "attach 8"]);
  });

  it("a command that ends in time is a result", async () => {
    await using machine = await machineThat([rest]);
    expect(await machine.terminal.execute("x", { waitMs: 60_000 })).toMatchObject({
      status: "done",
      exitCode: 4,
    });
  });

  it("does not answer before the machine has said that the command runs", async () => {
    await using machine = await machineThat([
      ...Array.from({ length: 5 }, () => refuse("LinkLost")),
      async function* () {
        yield started("j");
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      },
    ]);
    expect(await machine.terminal.execute("x", { waitMs: 0 })).toMatchObject({
      status: "running",
      after: 0,
    });
  });

  it("check and maxOutputBytes hold for the whole result", async () => {
    await using machine = await machineThat([slow, rest]);
    const running = await machine.terminal.execute("x", { waitMs: 0, check: true, maxOutputBytes: 10 });
    if (running.status !== "running") throw new TypeError("not running");
    await expect(running.result()).rejects.toMatchObject({
      name: "ExecError",
      exitCode: 4,
      stdout: "so far, an",
      truncated: { overLimitBytes: 10 },
    });
  });
});

describe("resume", () => {
  it("has what was written after the offset", async () => {
    await using machine = await machineThat([
      async function* () {
        yield started("j", 9n);
        yield output(5, "more");
        yield ended(9);
      },
    ]);
    const result = await machine.terminal.resume(randomUUID(), { after: 5n });
    expect(result).toMatchObject({ stdout: "more", exitCode: 0, status: "done" });
    expect(machine.asked).toEqual(["attach 5"]);
  });

  it("a job that the machine does not know is thrown", async () => {
    await using machine = await machineThat([refuse("JobUnknown")]);
    await expect(machine.terminal.resume(randomUUID())).rejects.toMatchObject({ code: "JobUnknown" });
  });
});
