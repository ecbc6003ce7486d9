import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { generateKeyPair } from "@cmdop/proto";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { runShell } from "./support/cmdop-process.ts";
import { SmallDisk } from "./support/small-disk.ts";
import { waitUntil } from "./support/wait.ts";

/** Room for a relay's state with the reserve of its audit, and some for a test. */
const DISK_BYTES = 8 * 1024 * 1024;

/** Files on a disk that has them counted: those of a relay, and some for a test. */
const DISK_INODES = 200;

const USER_SCOPES = ["terminal", "machines:read"];

/** A relay whose state is on a disk of its own, a machine elsewhere, and two callers: one who may repair, and one who may not. */
interface World extends AsyncDisposable {
  readonly disk: SmallDisk;
  readonly cluster: Cluster;
  readonly admin: CMDOPClient;
  readonly user: CMDOPClient;
}

async function worldOn(disk: SmallDisk): Promise<World> {
  await using stack = new AsyncDisposableStack();
  stack.use(disk);
  const cluster = stack.use(await Cluster.start({ relayHome: path.join(disk.directory, "home") }));
  await cluster.addMachine("web-1");
  const admin = stack.adopt(await cluster.client([...USER_SCOPES, "admin"]), (client) => client.close());
  const user = stack.adopt(await cluster.client(USER_SCOPES), (client) => client.close());
  const all = stack.move();
  return { disk, cluster, admin, user, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

let world: World;

/** Each test of this group has a world of its own. */
function eachOn(disk: () => SmallDisk): void {
  beforeEach(async () => {
    world = await worldOn(disk());
  });
  afterEach(() => world[Symbol.asyncDispose]());
}

/** Starts the relay again, and waits until the machine has found it. */
async function restarted({ cluster, admin }: World): Promise<void> {
  await cluster.restartRelay();
  await waitUntil(async () => (await admin.machines.list()).some(({ online }) => online));
}

/** A call that nobody can record, and who is told so. The last page of a file has room for some records. */
async function refusedSoon({ user, cluster }: World): Promise<void> {
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
    message: expect.stringContaining(path.join(cluster.relayHome, "relay", "audit")),
  });
}

/** What the relay can't write down it refuses, and says which file and why. */
async function newKeyRefused({ cluster }: World, why: string): Promise<void> {
  await expect(cluster.createKey({ scopes: ["terminal"], machines: ["*"] })).rejects.toThrow(
    new RegExp(`Can't write ${path.join(cluster.relayHome, "relay", "relay.db")}: .*${why}`),
  );
}

async function allIsWell({ user, cluster }: World): Promise<void> {
  await waitUntil(async () => (await user.terminal.execute("true").catch(() => undefined))?.exitCode === 0);
  await waitUntil(() => cluster.relay.stderr.includes("the disk takes everything again"));
  await cluster.createKey({ scopes: ["terminal"], machines: ["*"] });
}

describe("a relay on a full disk", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES }));

  it("starts, serves owners and admins, refuses what it can't record or keep, and goes on when there is room", async () => {
    const { disk, cluster, admin } = world;
    await cluster.relay.stop();
    disk.fill();
    await restarted(world);
    await refusedSoon(world);
    expect(await admin.terminal.execute("exit 3")).toMatchObject({ exitCode: 3 });
    // Its reserve is gone with that, and taken by others.
    disk.fill();
    expect(await admin.terminal.execute("exit 4")).toMatchObject({ exitCode: 4 });
    await newKeyRefused(world, "full");
    expect(cluster.relay.stderr).toContain(disk.directory);
    disk.free();
    await allIsWell(world);
  });
});

describe("a relay on a disk without a file left", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES, inodes: DISK_INODES }));

  it("starts and serves", async () => {
    const { disk, cluster, admin } = world;
    await cluster.relay.stop();
    disk.useUpInodes();
    await restarted(world);
    expect(await admin.terminal.execute("exit 3")).toMatchObject({ exitCode: 3 });
    await newKeyRefused(world, "full");
    disk.free();
    await allIsWell(world);
  });
});

describe("a relay on a read-only disk", () => {
  eachOn(() => SmallDisk.mount({ bytes: DISK_BYTES }));

  it("starts, knows its machines and keys, serves owners and admins, and records that when it can", async () => {
    const { disk, cluster, admin } = world;
    await cluster.relay.stop("SIGKILL");
    disk.makeReadOnly();
    await restarted(world);
    await refusedSoon(world);
    expect(await admin.terminal.execute("exit 3")).toMatchObject({ exitCode: 3 });
    await newKeyRefused(world, "read-only");
    disk.makeWritable();
    await allIsWell(world);
  });
});

describe("a disk that fails under a relay that runs", () => {
  eachOn(() => SmallDisk.mountFailing());

  it("is read-only from then on: owners and admins are let in, others are refused, and all are told why", async () => {
    const { disk, cluster, admin } = world;
    disk.fail();
    await refusedSoon(world);
    expect(await admin.terminal.execute("exit 3")).toMatchObject({ exitCode: 3 });
    await newKeyRefused(world, "read-only");
    await cluster.relay.stop();
    await restarted(world);
    expect(await admin.terminal.execute("exit 4")).toMatchObject({ exitCode: 4 });
  });
});

it("a relay whose log can't be written goes on, and ends as it should", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-log-"));
  const { publicKey } = generateKeyPair();
  const line = `"$NODE" "$MAIN" relay --owner ${publicKey} --host 127.0.0.1 --port 0 --json > "$OUT" 2> /dev/full &
until [ -s "$OUT" ] || ! kill -0 $!; do sleep 0.1; done
kill $!; wait $!`;
  const env = { CMDOP_HOME: directory, OUT: path.join(directory, "out") };
  expect(await runShell(line, env)).toMatchObject({ exitCode: 0 });
  await rm(directory, { recursive: true });
});
