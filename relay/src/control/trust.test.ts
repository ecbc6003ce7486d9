import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DEFAULT_GRANT_LIFETIME_S,
  generateKeyPair,
  type KeyPair,
  type RosterClaims,
  signGrant,
  signRoster,
} from "@cmdop/proto";
import { expect, it } from "vitest";
import { nowS, refusal } from "../testing/world.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { Trust } from "./trust.ts";

const [first, second] = [generateKeyPair(), generateKeyPair()];

/** Opens a relay's trust, with two owners in force. */
async function twoOwners(use: (trust: Trust) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "cmdop-trust-"));
  const store = new SqliteStore(dir);
  try {
    const trust = await Trust.open({ store, relayId: first.id, firstOwner: first.publicKey });
    await trust.putRoster(await roster({ seq: 1, owners: [first.publicKey, second.publicKey] }));
    await use(trust);
  } finally {
    await store.close();
    await rm(dir, { recursive: true });
  }
}

function roster(claims: Partial<RosterClaims>, signer = first): Promise<string> {
  const base = { seq: 1, iat: nowS(), owners: [first.publicKey], relays: [], revoked: [] };
  return signRoster({ ...base, ...claims }, signer);
}

function grant(key: KeyPair, signer: KeyPair): Promise<string> {
  const claims = {
    key: key.publicKey,
    name: "test",
    scopes: ["terminal" as const],
    machines: [{ name: "*" }],
  };
  return signGrant({ ...claims, iat: nowS(), not_after: nowS() + DEFAULT_GRANT_LIFETIME_S }, signer);
}

it("does not remember a grant that it verified under owners who have left meanwhile", () =>
  twoOwners(async (trust) => {
    const keys = Array.from({ length: 20 }, generateKeyPair);
    for (const key of keys) await trust.putGrant(await grant(key, second));
    // The roster's check ends while the grants' are under way, before the last of them does.
    const putting = trust.putRoster(await roster({ seq: 2 }));
    const asked = keys.map(({ id }) => refusal(trust.grantOf(id)));
    await putting;
    // Answers from before the roster was in force were right; later ones must refuse.
    expect(await Promise.all(asked)).toContain("GrantRefused");
    for (const { id } of keys) expect(await refusal(trust.grantOf(id))).toBe("GrantRefused");
  }));

it("promise 9: a machine that dials again and again has the disk written once a minute, and another version at once", async () => {
  const dir = await mkdtemp(join(tmpdir(), "cmdop-trust-"));
  const store = new SqliteStore(dir);
  try {
    const trust = await Trust.open({ store, relayId: first.id, firstOwner: first.publicKey });
    const machine = { id: second.id, publicKey: second.publicKey, name: "web-1", labels: {} };
    await trust.join({ tokenId: "token", uses: 1, machine });
    let written = 0;
    const { seen } = store;
    store.seen = (...facts) => {
      written += 1;
      return seen.apply(store, facts);
    };
    for (let link = 0; link < 1_000; link += 1) await trust.seen(machine.id, "1");
    expect(written).toBe(1);
    await trust.seen(machine.id, "2");
    expect(written).toBe(2);
    expect((await store.machines())[0]).toMatchObject({ agentVersion: "2" });
  } finally {
    await store.close();
    await rm(dir, { recursive: true });
  }
});

it("takes one roster after the other: an owner whom one leaves out can't sign the next", () =>
  twoOwners(async (trust) => {
    const [without, back] = [
      await roster({ seq: 2 }),
      await roster({ seq: 3, owners: [second.publicKey] }, second),
    ];
    const put = [trust.putRoster(without), refusal(trust.putRoster(back))];
    expect((await Promise.all(put))[1]).toBe("GrantRefused");
    expect(trust.owners()).toEqual([first.publicKey]);
  }));
