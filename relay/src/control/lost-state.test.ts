import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, signMachineRecord } from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Relay } from "../index.ts";
import { SILENT_LOG } from "../log.ts";
import { refusal, World } from "../testing/world.ts";

const said: string[] = [];
const note = (event: string): unknown => said.push(event);
const log = { ...SILENT_LOG, warn: note, error: note };
let world: World;
let backup: string;
beforeEach(async () => {
  said.length = 0;
  world = await World.start({ log });
  backup = await mkdtemp(join(tmpdir(), "cmdop-backup-"));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(backup, { recursive: true });
});

/** Runs work between a backup and its restoration, which loses it. */
async function lose(work: () => Promise<void>): Promise<void> {
  await world.relay.shutdown();
  await cp(world.stateDir, backup, { recursive: true });
  await world.relay.listen();
  await work();
  await world.relay.shutdown();
  await rm(world.stateDir, { recursive: true });
  await cp(backup, world.stateDir, { recursive: true });
  await world.relay.listen();
}

describe("a relay that has lost something is taught again by its machines", () => {
  it("a machine that joined after the backup is taken back, with its newest name, and brings what was revoked", async () => {
    const machineKey = generateKeyPair();
    const key = await world.key();
    const revoked = await world.roster({ seq: 2, revoked: [key.id] });
    const record = await signMachineRecord(
      { id: machineKey.id, name: "renamed", labels: {}, seq: 3 },
      world.owner,
    );
    let receipt = "";
    await lose(async () => {
      const agent = await world.agent("web-1", { machineKey });
      receipt = agent.receipts.at(-1) ?? "";
    });
    const caller = world.caller(key);
    expect((await caller.keys.whoAmI({}, { headers: await caller.headers() })).machines).toEqual([]);
    const holds = { receipt, rosterSeq: 2, rosters: [revoked], machineRecord: record };
    await world.agent("web-1", { machineKey, joinToken: "", holds });
    expect(await refusal(caller.keys.whoAmI({}, { headers: await caller.headers() }))).toBe("KeyRevoked");
    const owner = world.caller(world.owner);
    const { machines } = await owner.machines.list({}, { headers: await owner.headers() });
    expect(machines).toMatchObject([{ id: machineKey.id, name: "renamed", online: true }]);
    const { keys } = await owner.keys.list({}, { headers: await owner.headers() });
    expect(keys).toMatchObject([{ keyId: key.id, revoked: true }]);
    expect(said).toContain("roster learned from a machine: this relay had lost it");
    expect(said).toContain("machine taken back by its receipt: this relay had lost it");
  });

  it("follows its owners, where they have changed meanwhile, and takes nothing of strangers", async () => {
    const machineKey = generateKeyPair();
    const [second, stranger] = [generateKeyPair(), generateKeyPair()];
    const handOver = await world.roster({ seq: 2, owners: [second.publicKey] });
    const newest = await world.roster({ seq: 3, owners: [second.publicKey] }, second);
    const foreign = await world.roster({ seq: 9, owners: [stranger.publicKey] }, stranger);
    await world.agent("web-1", { machineKey });
    await world.dial({ machineKey, joinToken: "", holds: { rosterSeq: 9, rosters: [foreign] } });
    await world.dial({ machineKey, joinToken: "", holds: { rosterSeq: 3, rosters: [handOver, newest] } });
    const owner = world.caller(second);
    const { roster } = await owner.roster.get({}, { headers: await owner.headers() });
    expect(roster).toBe(newest);
  });

  it("what an owner has revoked here, not knowing the newer roster, stays refused", async () => {
    const machineKey = generateKeyPair();
    const key = await world.key();
    await world.agent("web-1", { machineKey });
    await world.putRoster({ seq: 2, revoked: [key.id] });
    const lost = await world.roster({ seq: 5, revoked: [] });
    await world.dial({ machineKey, joinToken: "", holds: { rosterSeq: 5, rosters: [lost] } });
    const caller = world.caller(key);
    expect(await refusal(caller.keys.whoAmI({}, { headers: await caller.headers() }))).toBe("KeyRevoked");
  });

  it("without its store it begins with its identity, says so, and machines are back; keys are their owner's to bring", async () => {
    const machineKey = generateKeyPair();
    const agent = await world.agent("web-1", { machineKey });
    const roster = await world.roster({ seq: 1 });
    await world.relay.shutdown();
    for (const end of ["", "-wal", "-shm"]) await rm(join(world.stateDir, `relay.db${end}`), { force: true });
    await world.relay.listen();
    expect(said).toContain(
      "relay.db is gone, or was emptied: this relay starts with nothing but its identity",
    );
    const receipt = agent.receipts.at(-1) ?? "";
    const holds = { receipt, rosterSeq: 1, rosters: [roster] };
    await world.agent("web-1", { machineKey, joinToken: "", holds });
    const caller = world.caller(await world.key());
    await caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") });
  });

  it("a receipt is this machine's, of this relay, and none for a machine that was removed", async () => {
    const machineKey = generateKeyPair();
    const agent = await world.agent("web-1", { machineKey });
    const receipt = agent.receipts.at(-1) ?? "";
    const other = world.dial({ machineKey: generateKeyPair(), joinToken: "", holds: { receipt } });
    expect(await refusal(other)).toBe("LinkRefused");
    const forged = receipt.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const owner = world.caller(world.owner);
    await owner.machines.remove({ machineId: machineKey.id }, { headers: await owner.headers() });
    for (const shown of [receipt, forged, `${receipt}.x`, "x"]) {
      const again = world.dial({ machineKey, joinToken: "", holds: { receipt: shown } });
      expect(await refusal(again)).toBe("LinkRefused");
    }
    await world.agent("web-1", { machineKey });
  });
});

describe("a relay's identity is never made anew in silence", () => {
  const start = (stateDir: string) =>
    new Relay({ stateDir, ownerPublicKey: world.owner.publicKey, log }).listen();

  it.each([
    ["gone", async (file: string) => rm(file), "is gone, the identity of relay"],
    ["damaged", async (file: string) => writeFile(file, "-----BEGIN PRIVATE KEY-----\nx\n"), "is damaged"],
    [
      "cut off",
      async (file: string) => writeFile(file, (await readFile(file)).subarray(0, 300)),
      "is damaged",
    ],
    ["emptied", async (file: string) => writeFile(file, ""), "is damaged"],
  ])("ca.pem that is %s is said with its file and the next step", async (_how, spoil, words) => {
    const { id } = world.relay;
    await world.relay.shutdown();
    const file = join(world.stateDir, "ca.pem");
    const good = await readFile(file);
    await spoil(file);
    const error: unknown = await start(world.stateDir).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining(file),
      next: expect.stringContaining("backup"),
    });
    expect(String(error)).toContain(words);
    await writeFile(file, good, { mode: 0o600 });
    await world.relay.listen();
    expect(world.relay.id).toBe(id);
  });

  it("that of another relay is refused, and a damaged store is named", async () => {
    await using other = await World.start();
    await world.relay.shutdown();
    const file = join(world.stateDir, "ca.pem");
    const good = await readFile(file);
    await cp(join(other.stateDir, "ca.pem"), file);
    await expect(start(world.stateDir)).rejects.toMatchObject({
      message: expect.stringContaining(other.relay.id),
    });
    await writeFile(file, good);
    await writeFile(join(world.stateDir, "relay.db"), Buffer.alloc(8192, "no database"));
    await expect(start(world.stateDir)).rejects.toMatchObject({
      message: expect.stringContaining("relay.db is damaged"),
      next: expect.stringContaining("cmdop owner teach"),
    });
  });
});
