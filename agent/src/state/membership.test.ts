import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  generateKeyPair,
  hostAsName,
  type KeyPair,
  signJoinToken,
  signMachineRecord,
  signRoster,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Membership } from "./membership.ts";

const relay = { id: generateKeyPair().id, address: "relay.example:7443" };
const machineId = generateKeyPair().id;

function joinTokenOf(
  owner: KeyPair,
  claimedOwner = owner,
  itsRelay = relay,
  name = "web-1",
): Promise<string> {
  const claims = {
    jti: crypto.randomUUID(),
    owner: claimedOwner.publicKey,
    relay: itsRelay,
    name,
    labels: {},
    uses: 1,
    iat: 1000,
    exp: 2000,
  };
  return signJoinToken(claims, owner);
}

function rosterOf(seq: number, signer: KeyPair, owners: KeyPair[]): Promise<string> {
  return signRoster(
    { seq, iat: 1500, owners: owners.map(({ publicKey }) => publicKey), relays: [], revoked: [] },
    signer,
  );
}

describe("membership", () => {
  const owner = generateKeyPair();
  let stateDir: string;
  beforeEach(async () => {
    stateDir = await mkdtemp(path.join(os.tmpdir(), "cmdop-membership-"));
  });
  afterEach(() => rm(stateDir, { recursive: true }));

  const open = (joinToken?: string) => Membership.open(stateDir, machineId, { joinToken });

  it("says how to join when it never has", async () => {
    await expect(open()).rejects.toMatchObject({ code: "LinkRefused" });
  });

  it("takes name, relay and owner from the join token, and remembers them over a restart", async () => {
    const joinToken = await joinTokenOf(owner);
    const first = await open(joinToken);
    expect(first.pendingJoinToken).toBe(joinToken);
    await first.welcomed({ roster: await rosterOf(3, owner, [owner]), machineRecord: "" });
    const again = await open();
    expect(again.identity).toEqual({ id: machineId, name: "web-1", labels: {} });
    expect(again.relay).toEqual(relay);
    expect(again.rosterSeq).toBe(3);
    expect(again.pendingJoinToken).toBe("");
  });

  it("joins again by a new token of an owner of today, for its own relay, and by no other", async () => {
    const [second, stranger] = [generateKeyPair(), generateKeyPair()];
    const first = await open(await joinTokenOf(owner));
    const receipt = "the relay's word";
    await first.welcomed({ roster: await rosterOf(3, owner, [second]), machineRecord: "", receipt });
    for (const other of [owner, stranger]) {
      await expect(open(await joinTokenOf(other))).rejects.toMatchObject({ code: "LinkRefused" });
    }
    const token = await joinTokenOf(second);
    const again = await open(token);
    expect(again).toMatchObject({ pendingJoinToken: token, rosterSeq: 3, receipt });
    await again.welcomed({ roster: "", machineRecord: "" });
    expect((await open(token)).pendingJoinToken).toBe("");
  });

  it("moves to another relay of its owner, and leaves behind what was said at the former one", async () => {
    const first = await open(await joinTokenOf(owner));
    await first.welcomed({ roster: await rosterOf(9, owner, [owner]), machineRecord: "", receipt: "word" });
    const elsewhere = { id: generateKeyPair().id, address: "other.example:7443" };
    const token = await joinTokenOf(owner, owner, elsewhere);
    const moved = await open(token);
    expect(moved).toMatchObject({ relay: elsewhere, pendingJoinToken: token, rosterSeq: 0, receipt: "" });
    // The other relay's first roster counts.
    await moved.welcomed({ roster: await rosterOf(1, owner, [owner]), machineRecord: "" });
    expect(await open()).toMatchObject({ relay: elsewhere, pendingJoinToken: "", rosterSeq: 1 });
    const stranger = generateKeyPair();
    await expect(open(await joinTokenOf(stranger, stranger, elsewhere))).rejects.toMatchObject({
      code: "LinkRefused",
    });
  });

  it("takes the name that its token's pattern and its host name allow, once, and no other", async () => {
    const host = hostAsName(os.hostname());
    const token = await joinTokenOf(owner, owner, relay, "fleet-*");
    const first = await open(token);
    expect(first).toMatchObject({ identity: { name: `fleet-${host}` }, hostnameForToken: os.hostname() });
    const welcome = (name: string) => first.welcomed({ roster: "", machineRecord: "", name });
    await expect(welcome("prod-db")).rejects.toMatchObject({ code: "LinkRefused" });
    await welcome(`fleet-${host}-7`);
    await welcome(`fleet-${host}-8`);
    expect(await open()).toMatchObject({ identity: { name: `fleet-${host}-7` }, hostnameForToken: "" });
  });

  it("a relay that has lost its rosters is brought those by which it can follow", async () => {
    const [second, third] = [generateKeyPair(), generateKeyPair()];
    const rosters = [
      await rosterOf(1, owner, [owner]),
      await rosterOf(2, owner, [second]),
      await rosterOf(3, second, [second]),
      await rosterOf(4, second, [third]),
      await rosterOf(5, third, [third]),
    ];
    const membership = await open(await joinTokenOf(owner));
    for (const roster of rosters) await membership.welcomed({ roster, machineRecord: "" });
    const [, handOver, , secondHandOver, newest] = rosters;
    expect(membership.rostersBehind(0)).toEqual([handOver, secondHandOver, newest]);
    expect((await open()).rostersBehind(2)).toEqual([secondHandOver, newest]);
    expect(membership.rostersBehind(5)).toEqual([]);
  });

  it("says when all is written: another agent may write the same file after that", async () => {
    const membership = await open(await joinTokenOf(owner));
    let isWritten = false;
    membership.onChange(async () => {
      // The write begins right after this.
      await Promise.resolve();
      await membership.settled();
      isWritten = (await readFile(path.join(stateDir, "membership.json"), "utf8")).includes(roster);
    });
    const roster = await rosterOf(3, owner, [owner]);
    await membership.welcomed({ roster, machineRecord: "" });
    await expect.poll(() => isWritten).toBe(true);
  });

  it("keeps its file to itself, and refuses one that others could read", async () => {
    await open(await joinTokenOf(owner));
    const file = path.join(stateDir, "membership.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await chmod(file, 0o644);
    await expect(open()).rejects.toMatchObject({ code: "AccessDenied" });
  });

  it("refuses a damaged file with a word on what to do", async () => {
    const file = path.join(stateDir, "membership.json");
    await writeFile(file, "{", { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(await readFile(file, "utf8")).toBe("{");
  });

  it("refuses a token that names one owner and is signed by another", async () => {
    await expect(open(await joinTokenOf(owner, generateKeyPair()))).rejects.toMatchObject({
      code: "LinkRefused",
    });
  });

  it("refuses a second owner once it has joined", async () => {
    const membership = await open(await joinTokenOf(owner));
    await membership.welcomed({ roster: "", machineRecord: "" });
    await expect(open(await joinTokenOf(generateKeyPair()))).rejects.toMatchObject({ code: "LinkRefused" });
  });

  it("promise 5: never goes back to a lower roster, nor takes one of a stranger", async () => {
    const membership = await open(await joinTokenOf(owner));
    await membership.welcomed({ roster: await rosterOf(5, owner, [owner]), machineRecord: "" });
    await membership.welcomed({
      roster: await rosterOf(4, owner, [owner, generateKeyPair()]),
      machineRecord: "",
    });
    expect(membership.rosterSeq).toBe(5);
    expect(membership.owners).toEqual([owner.publicKey]);
    const stranger = generateKeyPair();
    const foreign = { roster: await rosterOf(9, stranger, [stranger]), machineRecord: "" };
    await expect(membership.welcomed(foreign)).rejects.toMatchObject({ code: "GrantRefused" });
    expect(membership.rosterSeq).toBe(5);
  });

  it("starts again after its first owner was replaced: what was verified when it came stays", async () => {
    const successor = generateKeyPair();
    const membership = await open(await joinTokenOf(owner));
    const machineRecord = await signMachineRecord({ id: machineId, name: "db-1", labels: {}, seq: 1 }, owner);
    await membership.welcomed({ roster: await rosterOf(1, owner, [owner, successor]), machineRecord });
    await membership.welcomed({ roster: await rosterOf(2, successor, [successor]), machineRecord: "" });
    const again = await open();
    expect(again.owners).toEqual([successor.publicKey]);
    expect(again.identity.name).toBe("db-1");
  });

  it("a record that it has already need not be signed by an owner of today", async () => {
    const successor = generateKeyPair();
    const membership = await open(await joinTokenOf(owner));
    const machineRecord = await signMachineRecord({ id: machineId, name: "db-1", labels: {}, seq: 1 }, owner);
    await membership.welcomed({ roster: await rosterOf(1, owner, [successor]), machineRecord: "" });
    await expect(membership.welcomed({ roster: "", machineRecord })).rejects.toMatchObject({
      code: "LinkRefused",
    });
    const renewed = { id: machineId, name: "db-2", labels: {}, seq: 2 };
    await membership.welcomed({ roster: "", machineRecord: await signMachineRecord(renewed, successor) });
    await membership.welcomed({ roster: "", machineRecord });
    expect(membership.identity.name).toBe("db-2");
  });

  it("takes rosters in their order, whoever owned it in between, and says when something has changed", async () => {
    const [second, third] = [generateKeyPair(), generateKeyPair()];
    const membership = await open(await joinTokenOf(owner));
    const owners: string[][] = [];
    const stop = membership.onChange(() => owners.push([...membership.owners]));
    const newest = { roster: await rosterOf(3, second, [third]), machineRecord: "" };
    await expect(membership.welcomed(newest)).rejects.toMatchObject({ code: "GrantRefused" });
    const handover = { roster: await rosterOf(2, owner, [second]), machineRecord: "" };
    await membership.welcomed(handover);
    await membership.welcomed(newest);
    await expect(membership.welcomed(handover)).rejects.toMatchObject({ code: "GrantRefused" });
    await membership.welcomed({ roster: "", machineRecord: "" });
    expect(owners).toEqual([[second.publicKey], [third.publicKey]]);
    expect(membership.rosterSeq).toBe(3);
    stop();
  });

  it("follows the owner's machine record, newer ones only and only its own", async () => {
    const membership = await open(await joinTokenOf(owner));
    const record = (seq: number, name: string, id = machineId) =>
      signMachineRecord({ id, name, labels: {}, seq }, owner);
    await membership.welcomed({ roster: "", machineRecord: await record(2, "db-1") });
    await membership.welcomed({ roster: "", machineRecord: await record(1, "old") });
    await membership.welcomed({ roster: "", machineRecord: await record(7, "other", generateKeyPair().id) });
    expect(membership.identity.name).toBe("db-1");
  });
});
