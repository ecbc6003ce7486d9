import { chmodSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, type MachineRecord, readRoster, signMachineRecord } from "@cmdop/proto";
import { expect, it } from "vitest";
import { Relay } from "../index.ts";
import { nowS, refusal, until, World } from "../testing/world.ts";

const record = (id: string, claims: Partial<MachineRecord> = {}, signer = generateKeyPair()) =>
  signMachineRecord({ id, name: "web-2", labels: {}, seq: 1, ...claims }, signer);

it("a machine that was removed comes back with a new join token, and with no used one", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const [used, many] = [await world.joinToken(), await world.joinToken({ uses: 5 })];
  await world.agent("web-1", { machineKey, joinToken: used });
  const owner = world.caller(world.owner);
  const remove = async () =>
    owner.machines.remove({ machineId: machineKey.id }, { headers: await owner.headers() });
  await remove();
  await until(async () => (await world.health()).links.interactive === 0);
  expect(await refusal(remove())).toBe("MachineUnknown");
  const come = (joinToken: string) => refusal(world.agent("web-1", { machineKey, joinToken }));
  expect(await come(used)).toBe("LinkRefused");
  expect(await come("")).toBe("LinkRefused");
  expect(await come(many)).toBe("no error");
  await remove();
  expect(await come(many)).toBe("LinkRefused");
  expect((await world.health()).machines).toBe(0);
  await world.relay.shutdown();
  await world.relay.listen();
  expect((await world.health()).machines).toBe(0);
});

it("keeps the record with the highest seq, whoever comes when, over a restart and a new join token", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const agent = await world.agent("web-1", { machineKey });
  const owner = world.caller(world.owner);
  const put = async (statement: string) =>
    owner.machines.put({ record: statement }, { headers: await owner.headers() });
  const second = await record(agent.id, { seq: 2, labels: { team: "a" } }, world.owner);
  expect(await put(second)).toMatchObject({ seq: 2n });
  expect(await put(second)).toMatchObject({ seq: 2n });
  for (const seq of [1, 2]) {
    expect(await refusal(put(await record(agent.id, { seq, name: "other" }, world.owner)))).toBe(
      "InvalidArgument",
    );
  }
  expect(await refusal(put(await record(agent.id, { seq: 3 })))).toBe("LinkRefused");
  expect(await refusal(put(await record(generateKeyPair().id, {}, world.owner)))).toBe("MachineUnknown");
  // A join token counts as seq 0.
  await world.agent("web-9", { machineKey });
  await world.relay.shutdown();
  await world.relay.listen();
  const again = world.caller(world.owner);
  const { machines } = await again.machines.list({}, { headers: await again.headers() });
  expect(machines).toMatchObject([{ id: agent.id, name: "web-2", labels: { team: "a" }, recordSeq: 2n }]);
});

it("a grant whose owner has left may be replaced once, and only by an owner; the same words may be signed again", async () => {
  await using world = await World.start();
  const [second, third] = [generateKeyPair(), generateKeyPair()];
  const owners = [world.owner.publicKey, second.publicKey, third.publicKey];
  await world.putRoster({ seq: 2, owners });
  const owner = world.caller(world.owner);
  const put = async (grant: string) => owner.keys.put({ grant }, { headers: await owner.headers() });
  const key = generateKeyPair();
  const iat = nowS();
  await put(await world.grant(key, { iat, not_after: iat + 100 }, second));
  expect(await refusal(put(await world.grant(key, { scopes: ["admin"] }, third)))).toBe("AlreadyExists");
  // The same grant, signed by another owner, replaces it without a gap.
  await put(await world.grant(key, { iat, not_after: iat + 100 }, third));
  await world.putRoster({ seq: 3, owners: [world.owner.publicKey, third.publicKey] });
  const caller = world.caller(key);
  expect(await refusal(caller.keys.whoAmI({}, { headers: await caller.headers() }))).toBe("no error");
  await world.putRoster({ seq: 4 });
  expect(await refusal(caller.keys.whoAmI({}, { headers: await caller.headers() }))).toBe("GrantRefused");
  expect(await refusal(put(await world.grant(key, {}, second)))).toBe("GrantRefused");
  await put(await world.grant(key, { name: "new" }));
  expect(await caller.keys.whoAmI({}, { headers: await caller.headers() })).toMatchObject({ name: "new" });
  expect(await refusal(put(await world.grant(key, { name: "newer" })))).toBe("AlreadyExists");
});

it("promise 9: keeps the rosters that are needed to follow, and no more of them than its bound", async () => {
  await using world = await World.start();
  const handOvers = async () => {
    const owner = world.caller(world.owner);
    const answer = await owner.roster.get({ handOvers: true }, { headers: await owner.headers() });
    return answer.handOvers.map((statement) => readRoster(statement).seq);
  };
  await world.putRoster({ seq: 2, revoked: [generateKeyPair().id] });
  await world.putRoster({ seq: 3 });
  // The owners have not changed, so the newest roster of each signer is enough.
  expect(await handOvers()).toEqual([3]);
  const changed: number[] = [];
  for (let seq = 4; seq < 80; seq++) {
    await world.putRoster({ seq, owners: [world.owner.publicKey, generateKeyPair().publicKey] });
    changed.push(seq);
  }
  expect(await handOvers()).toEqual(changed.slice(-64));
  await world.relay.shutdown();
  await world.relay.listen();
  expect(await handOvers()).toEqual(changed.slice(-64));
});

it("promise 10: does not start with files that others can read, and says what to do", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "cmdop-relay-"));
  try {
    const options = { stateDir, ownerPublicKey: generateKeyPair().publicKey };
    const relay = new Relay(options);
    await relay.listen();
    await relay.shutdown();
    for (const name of ["ca.pem", "relay.db"]) {
      const file = join(stateDir, name);
      chmodSync(file, 0o640);
      await expect(new Relay(options).listen()).rejects.toMatchObject({
        code: "AccessDenied",
        message: expect.stringContaining("0640"),
        next: expect.stringContaining(`chmod go-rwx ${file}`),
      });
      chmodSync(file, 0o600);
    }
    writeFileSync(join(stateDir, "notes"), "nobody minds");
    await relay.listen();
    await relay.shutdown();
  } finally {
    await rm(stateDir, { recursive: true });
  }
});
