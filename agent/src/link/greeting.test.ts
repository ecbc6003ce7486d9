import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { generateKeyPair, type KeyPair, signJoinToken, signRoster } from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MachineAudit } from "../audit/machine-audit.ts";
import { Membership } from "../state/membership.ts";
import { createGreeting, type Greeting } from "./greeting.ts";

const owner = generateKeyPair();
const machineKey = generateKeyPair();
const call = { caller: undefined, signal: new AbortController().signal };

let directory: string;
let audit: MachineAudit;
let greeting: Greeting;

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-greeting-"));
  const nowS = Math.floor(Date.now() / 1000);
  const relay = { id: generateKeyPair().id, address: "127.0.0.1:1" };
  const claims = { jti: randomUUID(), owner: owner.publicKey, relay, name: "web-1", labels: {}, uses: 1 };
  const joinToken = await signJoinToken({ ...claims, iat: nowS, exp: nowS + 60 }, owner);
  const membership = await Membership.open(directory, machineKey.id, { joinToken });
  audit = new MachineAudit({
    directory: path.join(directory, "audit"),
    machineKey,
    version: "0",
    redact: () => (text) => text,
    onTrouble: (error) => {
      throw error;
    },
    onRepair: () => undefined,
  });
  const greeter = { machineKey, membership, audit, bootId: randomUUID(), agentVersion: "0" };
  greeting = createGreeting(greeter, "interactive", { exportKeyingMaterial: () => randomBytes(32) });
});
afterEach(() => {
  audit.close();
  rmSync(directory, { recursive: true });
});

async function welcome(roster: string): Promise<bigint | undefined> {
  const answer = await greeting.handlers.welcome(
    {
      $typeName: "cmdop.v1.LinkWelcomeRequest",
      refusedCode: "",
      refusedReason: "",
      roster,
      machineRecord: "",
      receipt: "",
      name: "",
    },
    call,
  );
  return answer.rosterSeq;
}

function hello() {
  const nonce = randomBytes(32);
  return greeting.handlers.hello(
    { $typeName: "cmdop.v1.LinkHelloRequest", nonce, relayTimeMs: 0, rosterSeq: 0n },
    call,
  );
}

function feed() {
  return greeting.handlers
    .audit({ $typeName: "cmdop.v1.LinkAuditRequest", chain: "", after: 0n }, call)
    [Symbol.asyncIterator]();
}

function roster(seq: number, owners: KeyPair[], signer: KeyPair): Promise<string> {
  const claims = { seq, iat: 1, owners: owners.map(({ publicKey }) => publicKey), relays: [], revoked: [] };
  return signRoster(claims, signer);
}

describe("a link's greeting", () => {
  it("a roster that can't be verified yet is refused, and the one that was missing may follow, in either state", async () => {
    await hello();
    const [second, third] = [generateKeyPair(), generateKeyPair()];
    const handover = await roster(1, [second], owner);
    const newer = await roster(2, [third], second);
    const newest = await roster(3, [third], third);
    await expect(welcome(newer)).rejects.toMatchObject({ code: "GrantRefused" });
    expect(greeting.welcomed).toBe(false);
    expect(await welcome(handover)).toBe(1n);
    expect(greeting.welcomed).toBe(true);
    await expect(welcome(newest)).rejects.toMatchObject({ code: "GrantRefused" });
    expect(await welcome(newer)).toBe(2n);
    expect(await welcome(newest)).toBe(3n);
    await greeting.done;
  });

  it("promise 8: the audit chain is for a relay that was welcomed, in a bounded number of streams", async () => {
    await expect(feed().next()).rejects.toMatchObject({ code: "InvalidArgument" });
    await hello();
    await expect(feed().next()).rejects.toMatchObject({ code: "InvalidArgument" });
    await welcome("");
    const feeds = Array.from({ length: 4 }, feed);
    for (const each of feeds) expect((await each.next()).value).toMatchObject({ chain: audit.log.chain });
    await expect(feed().next()).rejects.toMatchObject({ code: "LimitExceeded" });
    await feeds[0]?.return?.();
    expect((await feed().next()).value).toMatchObject({ firstSeq: 1n });
  });
});
