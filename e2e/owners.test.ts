import { generateKeyPair, type KeyPair } from "@cmdop/proto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type OwnersWorld, startOwnersWorld } from "./support/owners-world.ts";

let world: OwnersWorld;
beforeEach(async () => {
  world = await startOwnersWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (thrown) => (thrown instanceof Error ? thrown.name : String(thrown)),
  );
}

/** Puts a new owner in the place of the first one, as that one would do it. */
async function succeed(newOwner: KeyPair): Promise<void> {
  await world.asOwner.roster.rotateOwner({
    newOwner: newOwner.publicKey,
    remove: world.owner.publicKey,
    resignWith: newOwner,
  });
}

const key = (name = "deploy") =>
  world.asOwner.keys.create({ name, scopes: ["terminal"], machines: ["web-1"] });

it("promise 5: an owner hands over to another: keys go on, and the old owner may do nothing any more", async () => {
  await world.addMachine("web-1");
  const { apiKey, keyId } = await key();
  const revoked = await key("leaver");
  await world.asOwner.keys.revoke(revoked.keyId);
  const client = world.client(apiKey);
  const before = await world.asOwner.keys.show(keyId);
  const next = generateKeyPair();
  const rotation = await world.asOwner.roster.rotateOwner({
    newOwner: next.publicKey,
    remove: world.owner.publicKey,
    resignWith: next,
  });
  expect(rotation.resigned).toEqual([keyId]);
  expect(rotation.roster.owners).toEqual([world.recovery.publicKey, next.publicKey]);
  expect((await client.terminal.execute("echo on")).stdout).toBe("on\n");
  const asNext = world.as(next);
  const after = await asNext.keys.show(keyId);
  expect({ ...after, grant: "", lastUsedMs: 0 }).toEqual({ ...before, grant: "", lastUsedMs: 0 });
  expect(after.grant).not.toBe(before.grant);
  expect(await refusal(world.asOwner.keys.list())).toBe("KeyUnknown");
  expect(await refusal(key("late"))).not.toBe("no error");
  expect(await asNext.keys.show(revoked.keyId)).toMatchObject({ state: "revoked" });
  expect((await asNext.roster.get()).revoked).toEqual([revoked.keyId]);
  // And the new one may do what an owner may, also after a restart of the relay.
  await world.restartRelay();
  await expect.poll(() => refusal(asNext.keys.revoke(keyId)), { timeout: 30_000 }).toBe("no error");
  expect(await refusal(client.terminal.execute("true"))).toBe("KeyRevoked");
});

it("promise 5: an owner can't leave without a successor's hand, and is told so before anything has changed", async () => {
  const next = generateKeyPair();
  const alone = world.asOwner.roster.rotateOwner({
    newOwner: next.publicKey,
    remove: world.owner.publicKey,
  });
  await expect(alone).rejects.toMatchObject({
    code: "InvalidArgument",
    next: expect.stringMatching(/resignWith/),
  });
  expect((await world.asOwner.roster.get()).seq).toBe(1);
});

it("promise 5: the recovery owner names a new owner when the owner's key is lost", async () => {
  await world.addMachine("web-1");
  const { apiKey, keyId } = await key();
  const next = generateKeyPair();
  const asRecovery = world.as(world.recovery);
  // It has never signed a roster: it must say whom it trusts.
  expect(
    await refusal(asRecovery.roster.rotateOwner({ newOwner: next.publicKey, remove: world.owner.publicKey })),
  ).toBe("GrantRefused");
  await asRecovery.roster.ensure([world.owner.publicKey, world.recovery.publicKey]);
  const { resigned } = await asRecovery.roster.rotateOwner({
    newOwner: next.publicKey,
    remove: world.owner.publicKey,
  });
  expect(resigned).toEqual([keyId]);
  expect((await world.client(apiKey).terminal.execute("echo found")).stdout).toBe("found\n");
  const asNext = world.as(next);
  await asNext.roster.ensure([next.publicKey, world.recovery.publicKey]);
  await asNext.keys.revoke(keyId);
  expect(await refusal(world.client(apiKey).terminal.execute("true"))).toBe("KeyRevoked");
  await world.addMachine("web-2", { by: asNext });
});

it("promise 5: grants of an owner who was only removed count nowhere, until another owner signs them", async () => {
  await world.addMachine("web-1");
  const { apiKey, keyId } = await key();
  const client = world.client(apiKey);
  const asRecovery = world.as(world.recovery);
  await asRecovery.roster.ensure([world.owner.publicKey, world.recovery.publicKey]);
  await asRecovery.roster.change(({ owners }) => ({
    owners: owners.filter((owner) => owner !== world.owner.publicKey),
  }));
  expect(await refusal(client.terminal.execute("true"))).toBe("GrantRefused");
  expect(await asRecovery.keys.show(keyId)).toMatchObject({ state: "orphaned" });
  const next = generateKeyPair();
  const again = { newOwner: next.publicKey, remove: world.owner.publicKey };
  expect((await asRecovery.roster.rotateOwner(again)).resigned).toEqual([keyId]);
  expect((await client.terminal.execute("echo back")).stdout).toBe("back\n");
  expect(await asRecovery.keys.show(keyId)).toMatchObject({ state: "active" });
});

it("promise 5: a machine that was away for several owners follows them one after the other", async () => {
  const machine = await world.addMachine("web-1");
  const { apiKey } = await key();
  await machine.agent.shutdown();
  await world.asOwner.machines.rename("web-1", "web-one");
  const [second, third] = [generateKeyPair(), generateKeyPair()];
  await succeed(second);
  const asSecond = world.as(second);
  await asSecond.roster.change(({ owners }) => ({
    owners: owners.filter((owner) => owner !== world.recovery.publicKey),
  }));
  await asSecond.roster.rotateOwner({
    newOwner: third.publicKey,
    remove: second.publicKey,
    resignWith: third,
  });
  const asThird = world.as(third);
  const after = await asThird.keys.create({ name: "new", scopes: ["terminal"], machines: ["*"] });
  await world.restartRelay();
  // Its agent holds a roster that names none of the present owners.
  const again = await world.startAgain(machine);
  expect(again.agent.identity.name).toBe("web-one");
  expect((await world.client(after.apiKey).terminal.execute("echo followed")).stdout).toBe("followed\n");
  // Renamed, it is not what the old key was for.
  expect(await refusal(world.client(apiKey).terminal.execute("true"))).toBe("MachineRequired");
});

it("a machine joins by any owner's token, whoever signed the roster last", async () => {
  const asRecovery = world.as(world.recovery);
  // An owner who has signed nothing yet can't be followed from.
  await expect(world.addMachine("web-0", { by: asRecovery })).rejects.toMatchObject({ code: "LinkRefused" });
  await asRecovery.roster.ensure([world.owner.publicKey, world.recovery.publicKey]);
  await world.addMachine("web-1", { by: asRecovery });
  await world.addMachine("web-2");
  // The first one has gone on trying, and has found the owner's word by now.
  await expect
    .poll(async () => (await world.asOwner.machines.list()).map(({ name }) => name))
    .toEqual(["web-0", "web-1", "web-2"]);
});

it("two owners who change the roster at once lose nothing", async () => {
  const asRecovery = world.as(world.recovery);
  await asRecovery.roster.ensure([world.owner.publicKey, world.recovery.publicKey]);
  await world.asOwner.roster.ensure([world.owner.publicKey, world.recovery.publicKey]);
  const gone = Array.from({ length: 6 }, () => generateKeyPair().id);
  await Promise.all(
    gone.map((id, index) => (index % 2 === 0 ? world.asOwner : asRecovery).roster.revoke(id)),
  );
  expect((await world.asOwner.roster.get()).revoked.toSorted()).toEqual(gone.toSorted());
});
