import { once } from "node:events";
import { generateKeyPair } from "@cmdop/proto";
import { expect, it } from "vitest";
import { dialAgent } from "../testing/fake-agent.ts";
import { startTcpProxy } from "../testing/tcp-proxy.ts";
import { all, refusal, until, World } from "../testing/world.ts";

it("sends each method over its lane, and content over the interactive link while it is the only one", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const interactive = await world.agent("web-1", { machineKey });
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const download = async () => (await all(caller.files.readStream({ path: "/3" }, { headers }))).length;
  expect(await download()).toBe(3);
  expect(interactive.calls).toHaveLength(1);
  const link = await world.agent("web-1", {
    machineKey,
    lane: "download",
    bootId: interactive.bootId,
    joinToken: "",
  });
  expect(await download()).toBe(3);
  await caller.files.info({ path: "/" }, { headers });
  expect(link.calls.map(({ path }) => path)).toEqual(["/cmdop.v1.Files/ReadStream"]);
  expect(interactive.calls.map(({ path }) => path)).toEqual([
    "/cmdop.v1.Files/ReadStream",
    "/cmdop.v1.Files/Info",
  ]);
  expect((await world.health()).links).toEqual({ interactive: 1, download: 1, upload: 0 });
});

it("replaces a link by the next of its lane; calls that run on the old one finish there", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const old = await world.agent("web-1", { machineKey });
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const finish = Promise.withResolvers<void>();
  const inputs = (async function* () {
    yield { data: Buffer.alloc(3) };
    await finish.promise;
    yield { data: Buffer.alloc(4) };
  })();
  const running = caller.jobs.input(inputs, { headers })[Symbol.asyncIterator]();
  expect((await running.next()).value).toMatchObject({ accepted: 3n });
  const replacement = await world.agent("web-1", { machineKey, bootId: old.bootId, joinToken: "" });
  await caller.files.info({ path: "/" }, { headers });
  expect(replacement.calls).toHaveLength(1);
  const oldClosed = once(old.session, "close");
  finish.resolve();
  expect((await running.next()).value).toMatchObject({ accepted: 7n });
  expect((await running.next()).done).toBe(true);
  await oldClosed;
});

it("gives the calls of a replaced link a bounded time", async () => {
  await using world = await World.start({ times: { linkDrainMs: 100 } });
  const machineKey = generateKeyPair();
  const old = await world.agent("web-1", { machineKey });
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const running = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  await running.next();
  await world.agent("web-1", { machineKey, bootId: old.bootId, joinToken: "" });
  expect(await refusal(running.next())).toBe("LinkLost");
});

it("ends an old link's calls at once when the agent was started anew", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  await world.agent("web-1", { machineKey });
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const running = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  await running.next();
  await world.agent("web-1", { machineKey, joinToken: "" });
  expect(await refusal(running.next())).toBe("LinkLost");
  await caller.files.info({ path: "/" }, { headers });
});

it("notices an agent that falls silent, tells its calls, and answers the next at once", async () => {
  await using world = await World.start({ times: { linkPingIntervalMs: 50, linkDeadAfterMs: 400 } });
  const wire = await startTcpProxy(world.relay.port);
  world.defer(() => wire.close());
  const agent = await world.agent("web-1", { socket: await wire.socket() });
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const running = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  await running.next();
  // Pings alone keep a quiet link alive.
  await new Promise((resolve) => setTimeout(resolve, 600));
  await caller.files.info({ path: "/" }, { headers });
  wire.freeze();
  expect(await refusal(running.next())).toBe("LinkLost");
  expect(await refusal(caller.files.info({ path: "/" }, { headers }))).toBe("MachineOffline");
  expect((await world.health()).links).toEqual({ interactive: 0, download: 0, upload: 0 });
  expect(agent.session.destroyed).toBe(false);
});

it("keeps a link that is drained out of reach, and shows when the machine was last seen", async () => {
  await using world = await World.start();
  const agent = await world.agent("web-1");
  const caller = world.caller(await world.key());
  const list = async () => (await caller.machines.list({}, { headers: await caller.headers() })).machines[0];
  expect(await list()).toMatchObject({ name: "web-1", online: true, agentVersion: "fake" });
  agent.close();
  await until(async () => (await list())?.online === false);
  const seenMs = (await list())?.lastSeenMs ?? 0;
  expect(Math.abs(Date.now() - seenMs)).toBeLessThan(60_000);
});

it("refuses an agent that does not prove its key, and one that nobody invited", async () => {
  await using world = await World.start();
  const dial = (options: object) =>
    refusal(dialAgent({ relay: world.target, machineKey: generateKeyPair(), ...options }));
  const joinToken = await world.joinToken();
  expect(await dial({})).toBe("LinkRefused");
  expect(await dial({ joinToken, forged: true })).toBe("LinkRefused");
  expect(await dial({ joinToken: "no.token.at-all" })).toBe("LinkRefused");
  expect(await dial({ joinToken: await world.joinToken({}, generateKeyPair()) })).toBe("LinkRefused");
  expect(await dial({ joinToken: await world.joinToken({ exp: Math.floor(Date.now() / 1000) - 1 }) })).toBe(
    "LinkRefused",
  );
  const ahead = Math.floor(Date.now() / 1000) + 600;
  expect(await dial({ joinToken: await world.joinToken({ iat: ahead, exp: ahead + 600 }) })).toBe(
    "LinkRefused",
  );
  const elsewhere = { id: generateKeyPair().publicKey, address: world.relay.address };
  expect(await dial({ joinToken: await world.joinToken({ relay: elsewhere }) })).toBe("LinkRefused");
  const member = generateKeyPair();
  await world.agent("web-1", { machineKey: member, joinToken });
  // Somebody else's machine key can't be claimed without it.
  expect(await dial({ machineKey: { ...generateKeyPair(), publicKey: member.publicKey } })).toBe(
    "LinkRefused",
  );
  expect((await world.health()).machines).toBe(1);
});

it("promise 9: reads no hello that is larger than one has to be", async () => {
  await using world = await World.start();
  const dial = (bytes: number) =>
    refusal(dialAgent({ relay: world.target, machineKey: generateKeyPair(), joinToken: "x".repeat(bytes) }));
  expect(await dial(60 * 1024)).toBe("LinkRefused");
  // Nobody tells it why: it has not been listened to.
  expect(await dial(100 * 1024)).toBe("LinkLost");
});

it("refuses every agent while there is no roster", async () => {
  await using world = await World.start({ roster: false });
  const options = { relay: world.target, machineKey: generateKeyPair(), joinToken: await world.joinToken() };
  expect(await refusal(dialAgent(options))).toBe("LinkRefused");
  await world.putRoster({ seq: 1 });
  const agent = await dialAgent(options);
  expect(agent.rosters).toEqual([expect.stringMatching(/^ey/)]);
  agent.close();
});

it.each([
  [1, 1],
  [3, 3],
])("lets a join token of %i use bring in %i of ten machines that come at once", async (uses, expected) => {
  await using world = await World.start();
  const joinToken = await world.joinToken({ uses });
  const keys = Array.from({ length: 10 }, generateKeyPair);
  const agents = await Promise.allSettled(
    keys.map((machineKey) => world.agent("web-1", { machineKey, joinToken })),
  );
  expect(agents.filter(({ status }) => status === "fulfilled")).toHaveLength(expected);
  expect((await world.health()).machines).toBe(expected);
  // Whoever is in may come back with the same token: its first welcome may have been lost.
  const member = keys[agents.findIndex(({ status }) => status === "fulfilled")];
  await world.agent("web-1", { machineKey: member ?? generateKeyPair(), joinToken });
});
