import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { CMDOPClient, type ExecEvent } from "@cmdop/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { machineChain } from "./support/machine-chain.ts";
import { SmallDisk } from "./support/small-disk.ts";
import { waitUntil } from "./support/wait.ts";

/** Room for an agent's state with the reserve of its audit, and some for a test. */
const DISK_BYTES = 8 * 1024 * 1024;

/** Files on a disk that has them counted: those of an agent, and some for a test. */
const DISK_INODES = 200;

/** Fits in the memory that a job without a file may have. */
const FITTING_BYTES = 4_000_000;

/** Does not. */
const LARGE_BYTES = 40_000_000;

const USER_SCOPES = ["terminal", "files:read", "files:write", "machines:read"];

/** A machine whose state is on a disk of its own, and two callers: one who may repair it, and one who may not. */
interface World extends AsyncDisposable {
  readonly disk: SmallDisk;
  readonly machine: ClusterMachine;
  readonly admin: CMDOPClient;
  readonly user: CMDOPClient;
  restart(): Promise<void>;
}

async function worldOn(disk: SmallDisk): Promise<World> {
  await using stack = new AsyncDisposableStack();
  stack.use(disk);
  const cluster = stack.use(await Cluster.start());
  const machine = await cluster.addMachine("web-1", { home: path.join(disk.directory, "home") });
  const admin = stack.adopt(await cluster.client([...USER_SCOPES, "admin"]), (client) => client.close());
  const user = stack.adopt(await cluster.client(USER_SCOPES), (client) => client.close());
  const all = stack.move();
  return {
    disk,
    machine,
    admin,
    user,
    // Whatever it needs for a moment is on the disk that has no room.
    restart: () => cluster.restartAgent(machine, { TMPDIR: disk.directory }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function all(events: AsyncIterable<ExecEvent>): Promise<ExecEvent[]> {
  const list: ExecEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

const dataBytes = (events: readonly ExecEvent[]): number =>
  events.reduce((sum, event) => sum + ("data" in event ? event.data.length : 0), 0);

let world: World;

/** Each test of this group has a world of its own. */
function eachOn(disk: () => SmallDisk): void {
  beforeEach(async () => {
    world = await worldOn(disk());
  });
  afterEach(() => world[Symbol.asyncDispose]());
}

/** A call that nobody can record, and who is told so. The last page of a file has room for some records. */
async function refusedSoon({ user, machine }: World): Promise<void> {
  let error: unknown;
  await waitUntil(async () => {
    error = await user.terminal.execute("true").then(
      () => undefined,
      (thrown) => thrown,
    );
    return error !== undefined;
  });
  expect(error).toMatchObject({
    code: "AuditUnavailable",
    message: expect.stringContaining(path.join(machine.home, "agent")),
  });
}

/** Everybody's calls again, written down, and nothing left to complain about. */
async function allIsWell({ user, admin, machine }: World): Promise<void> {
  await waitUntil(async () => (await user.terminal.execute("true").catch(() => undefined))?.exitCode === 0);
  await waitUntil(async () => (await admin.machine("web-1").info()).diskError === "");
  const jobId = randomUUID();
  const events = await all(user.terminal.stream("echo kept", { jobId }));
  expect(events[0]).toMatchObject({ type: "started", inMemory: false });
  const { records } = await machineChain(machine.home);
  expect(records.some((record) => record.type === "begin" && record.job === jobId)).toBe(true);
}

describe("a full disk", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES }));

  it("an agent starts on it; owners and admins come in to repair it, others once that is done", async () => {
    const { disk, machine, admin } = world;
    await machine.process.stop();
    disk.fill();
    await world.restart();
    await refusedSoon(world);
    expect(await admin.terminal.execute("echo $$; exit 3")).toMatchObject({ exitCode: 3 });
    expect(await admin.files.readText("/etc/hostname")).not.toBe("");
    await waitUntil(async () => (await admin.machine("web-1").info()).diskError.includes("full"));
    expect(machine.process.stderr).toContain(machine.home);
    expect(await admin.terminal.execute(["rm", disk.filler])).toMatchObject({ exitCode: 0 });
    await allIsWell(world);
  });

  it("an agent that runs when it fills up, its reserve too, goes on for those who repair it", async () => {
    const { disk, admin } = world;
    disk.fill();
    await refusedSoon(world);
    for (let round = 0; round < 3; round += 1) {
      expect(await admin.terminal.execute("true")).toMatchObject({ exitCode: 0 });
      // The reserve is gone as well.
      disk.fill();
    }
    expect(await admin.terminal.execute(["rm", disk.filler])).toMatchObject({ exitCode: 0 });
    await allIsWell(world);
    const { records } = await machineChain(world.machine.home);
    const begun = records.flatMap((record) => (record.type === "begin" ? [record.call] : []));
    const ended = records.flatMap((record) => (record.type === "end" ? [record.call] : []));
    expect(new Set(begun).size).toBe(begun.length);
    // Of the calls that are over none is without its begin.
    expect(ended.filter((call) => !begun.includes(call))).toEqual([]);
  });
});

describe("a disk without a file left", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES, inodes: DISK_INODES }));

  it("an agent starts on it, without its local socket until there is one", async () => {
    const { disk, machine, admin } = world;
    await machine.process.stop();
    disk.useUpInodes();
    await world.restart();
    expect(await admin.terminal.execute("echo here")).toMatchObject({ stdout: "here\n" });
    disk.free();
    await allIsWell(world);
    await waitUntil(() => existsSync(path.join(machine.home, "agent", "agent.sock")));
    await using local = CMDOPClient.local({ home: machine.home });
    expect(await local.terminal.execute("echo local")).toMatchObject({ stdout: "local\n" });
  });
});

describe("a read-only disk", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES }));

  it("an agent starts on it; what owners and admins do is recorded when it can be written again", async () => {
    const { disk, machine, admin, user } = world;
    const before = randomUUID();
    await user.terminal.execute("echo before", { jobId: before });
    await machine.process.stop();
    disk.makeReadOnly();
    await world.restart();
    const jobId = randomUUID();
    expect(await admin.terminal.execute("echo $$; exit 3", { jobId })).toMatchObject({ exitCode: 3 });
    expect(await admin.terminal.resume(before)).toMatchObject({ stdout: "before\n" });
    await refusedSoon(world);
    const file = path.join(disk.directory, "file");
    await expect(admin.files.write(file, "x")).rejects.toMatchObject({
      code: "AccessDenied",
      message: expect.stringContaining(file),
    });
    expect((await admin.machine("web-1").info()).diskError).toContain("read-only");
    disk.makeWritable();
    await allIsWell(world);
    const { records } = await machineChain(machine.home);
    const call = records.flatMap((record) =>
      record.type === "begin" && record.job === jobId ? record.call : [],
    );
    expect(call).toHaveLength(1);
    expect(records.some((record) => record.type === "end" && record.call === call[0])).toBe(true);
  });
});

describe("a disk that fails under an agent that runs", () => {
  eachOn(() => SmallDisk.mountFailing());

  it("is read-only from then on: owners and admins are let in, others are refused, and all are told why", async () => {
    const { disk, machine, admin, user } = world;
    expect(await user.terminal.execute("true")).toMatchObject({ exitCode: 0 });
    disk.fail();
    await refusedSoon(world);
    const events = await all(admin.terminal.stream("echo out; exit 4"));
    expect(events[0]).toMatchObject({ type: "started", inMemory: true });
    expect(events.at(-1)).toMatchObject({ outcome: "exited", exitCode: 4 });
    await waitUntil(async () => (await admin.machine("web-1").info()).diskError.includes("read-only"));
    await machine.process.stop();
    await world.restart();
    expect(await admin.terminal.execute("echo again")).toMatchObject({ stdout: "again\n" });
  });
});

describe("a job on a full disk", () => {
  beforeAll(async () => {
    world = await worldOn(SmallDisk.mount({ bytes: DISK_BYTES }));
    await world.machine.process.stop();
    world.disk.fill();
    await world.restart();
    // The reserve goes with the first command.
    await world.admin.terminal.execute("true");
    world.disk.fill();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("nothing can be written any more, by the agent's commands neither", async () => {
    const { exitCode } = await world.admin.terminal.execute(`echo more > ${world.disk.directory}/more`);
    expect(exitCode).not.toBe(0);
  });

  it("a command runs, its output is whole, and it is said that a restart would forget it", async () => {
    const { admin } = world;
    const jobId = randomUUID();
    const command = `head -c ${FITTING_BYTES} /dev/zero; echo err >&2; exit 7`;
    const events = await all(admin.terminal.stream(command, { jobId }));
    expect(events[0]).toMatchObject({ type: "started", inMemory: true });
    expect(events.at(-1)).toMatchObject({ outcome: "exited", exitCode: 7 });
    expect(dataBytes(events)).toBe(FITTING_BYTES + 4);
    const again = await admin.terminal.resume(jobId);
    expect(again).toMatchObject({ exitCode: 7, stderr: "err\n", truncated: false });
    expect(again.stdoutBytes.length).toBe(FITTING_BYTES);
  });

  it("promise 2: a command still runs once, however often it is started", async () => {
    const jobId = randomUUID();
    const first = await world.admin.terminal.execute("echo $$", { jobId });
    expect(await world.admin.terminal.execute("echo $$", { jobId })).toMatchObject({ stdout: first.stdout });
  });

  it("promise 3: output beyond the memory reaches whoever reads it, whole", async () => {
    const events = await all(world.admin.terminal.stream(`head -c ${LARGE_BYTES} /dev/zero; exit 8`));
    expect(dataBytes(events)).toBe(LARGE_BYTES);
    expect(events.filter(({ type }) => type === "dropped")).toEqual([]);
    expect(events.at(-1)).toMatchObject({ outcome: "exited", exitCode: 8 });
  });

  it("promise 3: what nobody read in time is dropped, counted and said", async () => {
    const { admin } = world;
    const shell = ["/bin/sh", "-c", `stty -onlcr; head -c ${LARGE_BYTES} /dev/zero; exit 9`];
    const session = await admin.terminal.create({ shell });
    expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: 9 });
    const events = await all(admin.terminal.resumeStream(session.sessionId));
    const droppedBytes = events.reduce((sum, event) => sum + ("bytes" in event ? Number(event.bytes) : 0), 0);
    expect(droppedBytes).toBeGreaterThan(0);
    expect(droppedBytes + dataBytes(events)).toBe(LARGE_BYTES);
  });
});
