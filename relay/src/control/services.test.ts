import { generateKeyPair } from "@cmdop/proto";
import { expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { nowS, refusal, until, World } from "../testing/world.ts";

it("takes the first roster from the owner that it was started with, later ones from the owners in force", async () => {
  await using world = await World.start({ roster: false });
  const [stranger, next] = [generateKeyPair(), generateKeyPair()];
  expect(await refusal(world.putRoster({ seq: 1 }, stranger))).toBe("GrantRefused");
  expect(await refusal(world.putRoster({ seq: 0 }))).toBe("InvalidArgument");
  await world.putRoster({ seq: 5, owners: [world.owner.publicKey, next.publicKey] });
  expect(await refusal(world.putRoster({ seq: 6 }, stranger))).toBe("GrantRefused");
  await world.putRoster({ seq: 6, owners: [next.publicKey, world.owner.publicKey] }, next);
});

it("never goes back to a lower seq, and does not mind the same roster again", async () => {
  await using world = await World.start();
  const owner = world.caller(world.owner);
  const put = async (roster: string) => owner.roster.put({ roster }, { headers: await owner.headers() });
  const tenth = await world.roster({ seq: 10, revoked: [generateKeyPair().id] });
  expect(await put(tenth)).toMatchObject({ seq: 10n });
  expect(await put(tenth)).toMatchObject({ seq: 10n });
  expect(await refusal(put(await world.roster({ seq: 9 })))).toBe("InvalidArgument");
  expect(await refusal(put(await world.roster({ seq: 10 })))).toBe("InvalidArgument");
  expect(await refusal(put(await world.roster({ seq: 11, iat: nowS() + 600 })))).toBe("InvalidArgument");
  expect(await owner.roster.get({}, { headers: await owner.headers() })).toMatchObject({ roster: tenth });
  // Nor after a restart.
  await world.relay.shutdown();
  await world.relay.listen();
  expect(await refusal(world.putRoster({ seq: 9 }))).not.toBe("no error");
});

it("takes all power from an owner who left the roster, the first one too", async () => {
  await using world = await World.start();
  const next = generateKeyPair();
  await world.putRoster({ seq: 2, owners: [next.publicKey] });
  expect(await refusal(world.putRoster({ seq: 3 }))).toBe("KeyUnknown");
  expect(await refusal(world.key())).toBe("KeyUnknown");
});

it("keeps one grant a key, for ever", async () => {
  await using world = await World.start();
  const owner = world.caller(world.owner);
  const put = async (grant: string) => owner.keys.put({ grant }, { headers: await owner.headers() });
  const key = generateKeyPair();
  const grant = await world.grant(key);
  expect(await put(grant)).toMatchObject({ keyId: key.id });
  expect(await put(grant)).toMatchObject({ keyId: key.id });
  expect(await refusal(put(await world.grant(key, { scopes: ["admin"] })))).toBe("AlreadyExists");
  expect(await refusal(put(await world.grant(generateKeyPair(), { not_after: nowS() - 1 })))).toBe(
    "GrantExpired",
  );
  expect(await refusal(put(await world.grant(world.owner)))).toBe("InvalidArgument");
  expect(await refusal(put("nonsense"))).toBe("GrantRefused");
});

it("tells a key who it is and what it reaches", async () => {
  await using world = await World.start();
  await world.agent("web-2");
  await world.agent("web-1");
  await world.agent("db-1");
  const caller = world.caller(
    await world.key({ name: "deploy", scopes: ["files:read"], machines: [{ name: "web-*" }] }),
  );
  const who = await caller.keys.whoAmI({}, { headers: await caller.headers() });
  expect(who).toMatchObject({ keyId: caller.key.id, name: "deploy", scopes: ["files:read"], owner: false });
  expect(who.machines.map(({ name, online }) => [name, online])).toEqual([
    ["web-1", true],
    ["web-2", true],
  ]);
  const owner = world.caller(world.owner);
  const me = await owner.keys.whoAmI({}, { headers: await owner.headers() });
  expect(me).toMatchObject({ owner: true, name: "", notAfter: 0 });
  expect(me.machines).toHaveLength(3);
});

it("ends the open calls of a key that is revoked", async () => {
  await using world = await World.start();
  await world.agent("web-1");
  const caller = world.caller(await world.key());
  const other = world.caller(await world.key());
  const open = async ({ exec, headers }: typeof caller) => {
    const call = exec.attach({ jobId: "j" }, { headers: await headers("web-1") })[Symbol.asyncIterator]();
    await call.next();
    return call;
  };
  const [ends] = [await open(caller), await open(other)];
  await world.putRoster({ seq: 2, revoked: [caller.key.id] });
  expect(await refusal(ends.next())).toBe("KeyRevoked");
  expect((await world.health()).calls).toBe(1);
});

it("survives more canceled calls to its own services than Node lets through by itself", async () => {
  await using world = await World.start({ bounds: { serviceCallsPerKey: 64 } });
  const caller = world.caller(await world.key());
  const headers = await caller.headers();
  const victim = rawCall(await world.rawCaller(), "/cmdop.relay.v1.Keys/WhoAmI", headers);
  await until(async () => (await world.health()).calls === 1);
  // Two connections, since each may reset so many streams only.
  for (const session of [await world.rawCaller(), await world.rawCaller()]) {
    for (let done = 0; done < 1_000; done += 50) {
      const calls = Array.from({ length: 50 }, () =>
        rawCall(session, "/cmdop.relay.v1.Keys/WhoAmI", headers),
      );
      await until(async () => (await world.health()).calls === 51);
      const closed = calls.map((call) => new Promise((resolve) => call.once("close", resolve)));
      for (const call of calls) call.close(8);
      await Promise.all(closed);
      await until(async () => (await world.health()).calls === 1);
    }
  }
  expect(victim.closed).toBe(false);
  expect(errorOf(await rawAnswer(victim.end(Buffer.alloc(5))))).toBe("status 0");
});
