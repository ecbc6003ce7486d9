import type { CMDOPClient, CreatedKey } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OwnersMachine, type OwnersWorld, startOwnersWorld } from "./support/owners-world.ts";

/** A revoked key's open streams end within this, in milliseconds: promise 5's own number. */
const REVOKED_WITHIN_MS = 2_000;

let world: OwnersWorld;
let web: OwnersMachine;
beforeAll(async () => {
  world = await startOwnersWorld();
  web = await world.addMachine("web-1", { labels: { team: "payments" } });
  await world.addMachine("db-1");
});
afterAll(() => world[Symbol.asyncDispose]());

/** The code of the error that a promise rejects with. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (thrown) => (thrown instanceof Error ? thrown.name : String(thrown)),
  );
}

/** Starts a command that runs until it is ended; resolves when it runs. `end`: what the caller is told of its end. */
async function openStream(client: CMDOPClient): Promise<{ end: Promise<string> }> {
  const events = client.terminal.stream("echo ready; exec sleep 1000")[Symbol.asyncIterator]();
  for (let event = await events.next(); ; event = await events.next()) {
    if (event.done) throw new Error("the command ended");
    if (event.value.type === "stdout") break;
  }
  const end = async (): Promise<string> => {
    const { value } = await events.next();
    return value?.type === "ended" ? `${value.outcome}: ${value.reason}` : "no end";
  };
  return { end: end() };
}

describe("what a key reaches", () => {
  it("promise 5: a key for one device needs no machine's name, and reaches no other", async () => {
    const { apiKey } = await world.asOwner.keys.create({
      name: "one",
      scopes: ["terminal"],
      machines: ["web-1"],
    });
    const device = world.client(apiKey);
    expect((await device.terminal.execute("echo hello")).stdout).toBe("hello\n");
    expect(await refusal(device.machine("db-1").terminal.execute("true"))).toBe("MachineUnknown");
    expect((await device.whoAmI()).machines.map(({ name }) => name)).toEqual(["web-1"]);
  });

  it("promise 5: a team's key reaches what has the label, now or later", async () => {
    const { apiKey } = await world.asOwner.keys.create({
      name: "payments",
      scopes: ["terminal", "machines:read"],
      labels: { team: "payments" },
    });
    const team = world.client(apiKey);
    const names = async () => (await team.machines.list()).map(({ name }) => name);
    expect(await names()).toEqual(["web-1"]);
    expect(
      await world.asOwner.machines.label("db-1", { set: { team: "payments", tier: "2" } }),
    ).toMatchObject({
      name: "db-1",
      labels: { team: "payments", tier: "2" },
    });
    expect(await names()).toEqual(["db-1", "web-1"]);
    expect((await team.machine("db-1").terminal.execute("echo db")).stdout).toBe("db\n");
    await world.asOwner.machines.label("db-1", { remove: ["team"] });
    expect(await refusal(team.machine("db-1").terminal.execute("true"))).toBe("MachineUnknown");
  });

  it("promise 10: a key without machines is refused before anything is made, and says what is missing", async () => {
    const create = world.asOwner.keys.create({ name: "nothing", scopes: ["terminal"], labels: {} });
    await expect(create).rejects.toMatchObject({
      code: "InvalidArgument",
      next: expect.stringMatching(/machines .* or its labels/),
    });
  });
});

describe("the end of a key", () => {
  const create = async (name: string, more: object = {}) => {
    const created = await world.asOwner.keys.create({
      name,
      scopes: ["terminal"],
      machines: ["web-1"],
      ...more,
    });
    return { ...created, client: world.client(created.apiKey) };
  };

  it("promise 5: temporary access ends by itself, its open streams too", async () => {
    const { client } = await create("support", { expiresInS: 3 });
    const { end } = await openStream(client);
    expect(await end).toMatch(/^(?!exited).*ended at/);
    expect(await refusal(client.terminal.execute("true"))).toBe("GrantExpired");
    expect(await world.asOwner.keys.show("support")).toMatchObject({ state: "expired", jobs: "end" });
  });

  it("promise 5: revoking ends an open stream within 2 s, and a restart of the relay does not undo it", async () => {
    const { client, keyId } = await create("leaver");
    const other = await create("stays");
    const { end } = await openStream(client);
    const before = performance.now();
    expect(await world.asOwner.keys.revoke("leaver")).toEqual({ keyId, how: "revoked" });
    expect(await end).toMatch(/^(?!exited).*revoked/);
    expect(performance.now() - before).toBeLessThan(REVOKED_WITHIN_MS);
    await world.restartRelay();
    await expect
      .poll(() => refusal(other.client.terminal.execute("true")), { timeout: 30_000 })
      .toBe("no error");
    expect(await refusal(client.terminal.execute("true"))).toBe("KeyRevoked");
    expect(await world.asOwner.keys.show(keyId)).toMatchObject({ name: "leaver", state: "revoked" });
  });

  it("promise 5: a key with admin blocks another, at this relay, over a restart too; never an owner", async () => {
    const { client, keyId } = await create("blockee");
    const admin = (await create("operator", { scopes: ["admin"] })).client;
    const { end } = await openStream(client);
    expect(await admin.keys.revoke(keyId)).toEqual({ keyId, how: "blocked" });
    expect(await end).toMatch(/^(?!exited).*revoked/);
    await world.restartRelay();
    expect(await refusal(client.terminal.execute("true"))).toBe("KeyRevoked");
    expect(await admin.keys.show("blockee")).toMatchObject({ state: "blocked" });
    expect(await refusal(admin.keys.revoke(world.owner.id))).toBe("PermissionDenied");
    expect(await refusal(admin.keys.revoke(world.recovery.id))).toBe("PermissionDenied");
    expect(await refusal(admin.keys.revoke("unheard-of"))).toBe("NotFound");
    // What the owner says later counts for every relay.
    expect(await world.asOwner.keys.revoke(keyId)).toEqual({ keyId, how: "revoked" });
    expect(await admin.keys.show(keyId)).toMatchObject({ state: "revoked" });
  });

  it("a key without admin may neither list nor block", async () => {
    const { client, keyId } = await create("plain");
    expect(await refusal(client.keys.list())).toBe("PermissionDenied");
    expect(await refusal(client.keys.revoke(keyId))).toBe("PermissionDenied");
    expect(await refusal(client.keys.create({ name: "x", scopes: ["terminal"], machines: ["*"] }))).not.toBe(
      "no error",
    );
  });

  it("rotates: the new key may do what the old one could, and the old one nothing any more", async () => {
    const old = await create("deploy", { jobs: "live", expiresInS: 500 });
    const fresh = await world.asOwner.keys.rotate("deploy");
    expect(fresh.keyId).not.toBe(old.keyId);
    expect((await world.client(fresh.apiKey).terminal.execute("echo again")).stdout).toBe("again\n");
    expect(await refusal(old.client.terminal.execute("true"))).toBe("KeyRevoked");
    // The name means the key that is active.
    const shown = await world.asOwner.keys.show("deploy");
    expect(shown).toMatchObject({ keyId: fresh.keyId, scopes: ["terminal"], jobs: "live", state: "active" });
    expect(shown.expiresAtMs - shown.createdAtMs).toBe(500_000);
    const kept = await world.asOwner.keys.rotate("deploy", { keepOld: true });
    await expect(world.asOwner.keys.show("deploy")).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining(kept.keyId),
    });
    expect(await refusal(world.client(fresh.apiKey).terminal.execute("true"))).toBe("no error");
    expect(await refusal(world.asOwner.keys.rotate(old.keyId))).toBe("KeyRevoked");
  });

  it("lists every key once, over pages, with when it was last used", async () => {
    const created: CreatedKey[] = [];
    for (let count = 0; count < 205; count++) {
      const options = { name: `many-${count}`, scopes: ["terminal" as const], machines: ["web-1"] };
      created.push(await world.asOwner.keys.create(options));
    }
    const [used] = created;
    if (used === undefined) throw new TypeError("no key");
    await world.client(used.apiKey).terminal.execute("true");
    const listed = (await world.asOwner.keys.list()).filter(({ name }) => name.startsWith("many-"));
    expect(listed.map(({ keyId }) => keyId)).toEqual(created.map(({ keyId }) => keyId).sort());
    expect(listed.filter(({ lastUsedMs }) => lastUsedMs !== null).map(({ keyId }) => keyId)).toEqual([
      used.keyId,
    ]);
    await world.restartRelay();
    expect((await world.asOwner.keys.show(used.keyId)).lastUsedMs).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe("machines", () => {
  it("a machine that is renamed is called so at once, by relay and agent, and after their restart", async () => {
    const machine = await world.addMachine("old-name");
    const { apiKey } = await world.asOwner.keys.create({
      name: "any",
      scopes: ["terminal"],
      machines: ["*"],
    });
    const client = world.client(apiKey);
    expect(await refusal(world.asOwner.machines.rename("old-name", "web-1"))).toBe("AlreadyExists");
    await world.asOwner.machines.rename("old-name", "new-name");
    expect((await client.machine("new-name").terminal.execute("echo me")).stdout).toBe("me\n");
    expect(await refusal(client.machine("old-name").terminal.execute("true"))).toBe("MachineUnknown");
    await machine.agent.shutdown();
    // Renamed while it was away: it hears of it with its welcome.
    await world.asOwner.machines.rename("new-name", "newer-name");
    await world.restartRelay();
    await world.startAgain(machine);
    expect((await client.machine("newer-name").terminal.execute("echo still me")).stdout).toBe("still me\n");
  });

  it("a machine that is removed is gone with its links, and does not come back by itself", async () => {
    const machine = await world.addMachine("leaving-too");
    const bound = await world.asOwner.keys.create({
      name: "other-admin",
      scopes: ["admin", "machines:read"],
      machines: ["web-1"],
    });
    expect(await refusal(world.client(bound.apiKey).machines.remove(machine.id))).toBe("MachineUnknown");
    expect(await refusal(world.client(bound.apiKey).machines.remove("web-1"))).toBe("no error");
    const { apiKey } = await world.asOwner.keys.create({
      name: "all",
      scopes: ["terminal", "admin", "machines:read"],
      machines: ["*"],
    });
    const client = world.client(apiKey);
    const { end } = await openStream(world.client(apiKey, "leaving-too"));
    await client.machines.remove("leaving-too");
    expect(await end).toMatch(/^unknown: .*reaches no machine/);
    expect((await client.machines.list()).map(({ name }) => name)).not.toContain("leaving-too");
    await machine.agent.shutdown();
    await expect(world.startAgain(machine)).rejects.toMatchObject({ code: "LinkRefused" });
    expect(await refusal(client.machine("web-1").terminal.execute("true"))).toBe("MachineUnknown");
    await web.agent.shutdown();
  });
});
