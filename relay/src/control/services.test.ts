import { generateKeyPair, signCallToken } from "@cmdop/proto";
import { expect, it } from "vitest";
import { errorOf, type RawAnswer, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { startTcpProxy } from "../testing/tcp-proxy.ts";
import { nowS, refusal, until, World } from "../testing/world.ts";

/** Makes sure that only a new roster lets this relay check its open calls. */
const NO_KEY_CHECKS = { keyCheckIntervalMs: 300_000, shutdownDrainMs: 50 };

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
  // The same holds after a restart.
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
  await using world = await World.start({ times: NO_KEY_CHECKS });
  await world.agent("web-1");
  const caller = world.caller(await world.key());
  const other = world.caller(await world.key());
  const open = async ({ jobs, headers }: typeof caller) => {
    const call = jobs.attach({ jobId: "j" }, { headers: await headers("web-1") })[Symbol.asyncIterator]();
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
  // Two connections, since each may reset only so many streams.
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

it("ends the open calls of a key whose granting owner has left, and answers the owner who leaves", async () => {
  await using world = await World.start({ times: NO_KEY_CHECKS });
  await world.agent("web-1");
  const second = generateKeyPair();
  await world.putRoster({ seq: 2, owners: [world.owner.publicKey, second.publicKey] });
  const other = world.caller(await world.key());
  const caller = world.caller(await world.key({}, second));
  const calls = [];
  for (const { jobs, headers } of [other, caller]) {
    const call = jobs.attach({ jobId: "j" }, { headers: await headers("web-1") })[Symbol.asyncIterator]();
    await call.next();
    calls.push(call);
  }
  const leaving = world.caller(second);
  const roster = await world.roster({ seq: 3 }, second);
  await leaving.roster.put({ roster }, { headers: await leaving.headers() });
  expect(await refusal(Promise.resolve(calls[1]?.next()))).toBe("GrantRefused");
  expect((await world.health()).calls).toBe(1);
});

it("ends the open calls of a key whose grant has ended", async () => {
  await using world = await World.start();
  await world.agent("web-1");
  const caller = world.caller(await world.key({ not_after: nowS() + 2 }));
  const headers = await caller.headers("web-1");
  const call = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  await call.next();
  expect(await refusal(call.next())).toBe("GrantExpired");
});

it("lets no call slip in that was on its way when its key was revoked", async () => {
  await using world = await World.start({ times: NO_KEY_CHECKS });
  await world.agent("web-1");
  const key = await world.key();
  const caller = world.caller(key);
  const headers = await caller.headers("web-1");
  // Each call has its own token, whose signature is still to be checked.
  const tokens = await Promise.all(
    Array.from({ length: 200 }, (_, call) =>
      signCallToken({ relayId: world.relay.id, machine: "web-1" }, key, nowS() + 100 - call),
    ),
  );
  const session = await world.rawCaller();
  const attach = (authorization: string) => {
    const call = rawCall(session, "/cmdop.v1.Jobs/Attach", { ...headers, authorization });
    return rawAnswer(call.end(Buffer.alloc(5)));
  };
  const owner = world.caller(world.owner);
  const roster = await world.roster({ seq: 2, revoked: [key.id] });
  const put = owner.roster.put({ roster }, { headers: await owner.headers() });
  const answers: Promise<RawAnswer>[] = [];
  for (const token of tokens) {
    answers.push(attach(`Bearer ${token}`));
    if (answers.length % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await put;
  const refusals = new Set((await Promise.all(answers)).map(errorOf));
  // Too many failures of one key are also a reason to refuse it.
  refusals.delete("LimitExceeded");
  expect(refusals).toEqual(new Set(["KeyRevoked"]));
});

it("brings a new roster to the agents that are connected, over each of their links", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const interactive = await world.agent("web-1", { machineKey });
  const { bootId } = interactive;
  const download = await world.agent("web-1", { machineKey, bootId, lane: "download", joinToken: "" });
  // An agent that does not answer keeps it from no other agent.
  const wire = await startTcpProxy(world.relay.port);
  world.defer(() => wire.close());
  await world.agent("deaf", { socket: await wire.socket() });
  wire.freeze();
  const newest = await world.roster({ seq: 5 });
  const owner = world.caller(world.owner);
  await owner.roster.put({ roster: newest }, { headers: await owner.headers() });
  await until(() => [interactive, download].every(({ rosters }) => rosters.at(-1) === newest));
});

it("refuses a grant from the future, since machines would take its time for the time, and says both times", async () => {
  await using world = await World.start();
  const owner = world.caller(world.owner);
  const put = async (iat: number) => {
    const grant = await world.grant(generateKeyPair(), { iat });
    return owner.keys.put({ grant }, { headers: await owner.headers() });
  };
  const ahead = nowS() + 600;
  await expect(put(ahead)).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringMatching(
      new RegExp(`it says ${new Date(ahead * 1000).toISOString()}, the clock here \\d{4}-`),
    ),
  });
  await put(nowS() + 60);
});

it("takes only so many calls of a key at once to its own services, and no large requests", async () => {
  await using world = await World.start();
  const caller = world.caller(await world.key());
  const session = await world.rawCaller();
  const headers = await caller.headers();
  const call = () => rawCall(session, "/cmdop.relay.v1.Keys/WhoAmI", headers);
  // From here on every call is admitted at once, in order of arrival.
  expect(errorOf(await rawAnswer(call().end(Buffer.alloc(5))))).toBe("status 0");
  const begun = Array.from({ length: 32 }, call);
  // The first bytes of a message of 1 MiB.
  for (const one of begun) one.write(Buffer.concat([Buffer.of(0, 0, 16, 0, 0), Buffer.alloc(60_000)]));
  expect(errorOf(await rawAnswer(call().end(Buffer.alloc(5))))).toBe("LimitExceeded");
  const [large] = begun;
  if (large === undefined) throw new TypeError("no call");
  large.write(Buffer.alloc(6_000));
  expect(errorOf(await rawAnswer(large))).toBe("MessageTooLarge");
  expect(errorOf(await rawAnswer(call().end(Buffer.alloc(5))))).toBe("status 0");
});
