import { existsSync } from "node:fs";
import path from "node:path";
import { Agent } from "@cmdop/agent";
import { codec, HEADERS, Keys, Roster, signJoinToken } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { runCmdop } from "./support/cmdop-process.ts";
import { RawCaller } from "./support/raw-call.ts";
import { nowS, TrustWorld } from "./support/trust-world.ts";
import { withClock } from "./support/with-clock.ts";
import { SOURCES } from "./tidy/source-tree.ts";

const HOUR_MS = 3_600_000;
/** How far the two times in an error may be from the hour that they are apart: tests take a while. */
const SLACK_MS = 10 * 60_000;

/** Hours by which each clock is off. */
interface Shifts {
  readonly relay: number;
  readonly agent: number;
  readonly caller: number;
}

let cluster: Cluster;
let good: string;
let ended: string;
let attempts = 0;

beforeAll(async () => {
  // All of it was set up an hour ago, by clocks that were right then; one key's grant has ended since.
  await withClock(-HOUR_MS, async () => {
    cluster = await Cluster.start();
    await cluster.addMachine("web-1");
    const scopes = ["terminal"];
    good = (await cluster.createKey({ scopes, machines: ["web-1"] })).apiKey;
    ended = (await cluster.createKey({ scopes, machines: ["web-1"], expires: "30m" })).apiKey;
  });
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function setClocks({ relay, agent }: Shifts): Promise<void> {
  const [machine] = cluster.machines;
  if (machine === undefined) throw new TypeError("no machine");
  await machine.process.stop();
  await cluster.relay.stop();
  await withClock(relay * HOUR_MS, () => cluster.restartRelay());
  // Its ready line comes once it is welcomed.
  await withClock(agent * HOUR_MS, () => cluster.restartAgent(machine));
}

/** Runs a command that leaves a file; whether it ran, and what the caller was told. */
async function call(apiKey: string, { caller }: Shifts): Promise<{ ran: boolean; told: string }> {
  attempts += 1;
  const mark = path.join(cluster.directory, `ran-${attempts}`);
  const { stderr } = await withClock(caller * HOUR_MS, () =>
    runCmdop(["exec", "-n", "web-1", "--", "/bin/touch", mark], { CMDOP_API_KEY: apiKey }),
  );
  return { ran: existsSync(mark), told: stderr };
}

/** The times that an error shows, in milliseconds since 1970. */
const timesIn = (text: string): number[] =>
  [...text.matchAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g)].map(([time]) => Date.parse(time));

describe("an hour off", () => {
  const right = { relay: 0, agent: 0, caller: 0 };

  it.each([
    ["no clock", right],
    ["all clocks alike, ahead", { relay: 1, agent: 1, caller: 1 }],
  ])("%s: what is granted runs, what has ended does not", async (_title, shifts) => {
    await setClocks(shifts);
    expect(await call(good, shifts)).toMatchObject({ ran: true, told: "" });
    const refused = await call(ended, shifts);
    expect(refused).toMatchObject({
      ran: false,
      told: expect.stringMatching(/grant .* ended at .* clock here/),
    });
    expect(timesIn(refused.told)).toHaveLength(2);
  });

  it.each([
    ["the caller, ahead", { ...right, caller: 1 }, "from the future"],
    ["the caller, behind", { ...right, caller: -1 }, "has ended"],
    ["the relay, ahead", { ...right, relay: 1 }, "has ended"],
    ["the relay, behind", { ...right, relay: -1 }, "from the future"],
    ["the agent, ahead", { ...right, agent: 1 }, "has ended"],
    ["the agent, behind", { ...right, agent: -1 }, "from the future"],
    ["caller and relay, behind", { ...right, caller: -1, relay: -1 }, "has ended"],
    ["caller and agent, behind", { ...right, caller: -1, agent: -1 }, "has ended"],
    ["relay and agent, behind", { ...right, relay: -1, agent: -1 }, "from the future"],
    ["relay and agent, ahead", { ...right, relay: 1, agent: 1 }, "has ended"],
  ])("%s: refused with both times, and nothing that has ended is accepted", async (_title, shifts, why) => {
    await setClocks(shifts);
    const refused = await call(good, shifts);
    expect(refused).toMatchObject({
      ran: false,
      told: expect.stringContaining(`call token ${why}`.replace("token from", "token is from")),
    });
    const [signed = 0, checked = 0] = timesIn(refused.told);
    expect(Math.abs(Math.abs(signed - checked) - HOUR_MS)).toBeLessThan(SLACK_MS);
    expect(refused.told).toContain("next:");
    expect(await call(ended, shifts)).toMatchObject({ ran: false, told: expect.stringContaining("error:") });
  });
});

describe("an owner whose clock is an hour ahead", () => {
  const futureS = () => nowS() + HOUR_MS / 1000;
  let world: TrustWorld;
  beforeAll(async () => {
    world = await TrustWorld.start();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each([
    [
      "a grant",
      "/cmdop.relay.v1.Keys/Put",
      async () =>
        codec(Keys.method.put.input).serialize(
          await world.signedKey({ iat: futureS(), not_after: futureS() + 60 }),
        ),
    ],
    [
      "a roster",
      "/cmdop.relay.v1.Roster/Put",
      async () =>
        codec(Roster.method.put.input).serialize({
          roster: await world.signedRoster({ seq: 9, iat: futureS() }),
        }),
    ],
  ])("signs %s that no machine may see: it would move their clocks", async (_what, method, message) => {
    await using caller = await RawCaller.connect(world.address);
    const headers = await world.headers({ key: world.owner, machine: null });
    const trailers = await caller.call(method, headers, await message());
    expect(trailers[HEADERS.error]).toBe("InvalidArgument");
    const told = decodeURIComponent(trailers["grpc-message"] ?? "");
    expect(told).toContain("from the future");
    expect(timesIn(told)).toHaveLength(2);
  });

  it.each([
    ["from the future", 1],
    ["that has ended", -1],
  ])("a join token %s lets nobody in, and shows both times", async (_what, hours) => {
    const iat = nowS() + (hours * HOUR_MS) / 1000;
    const joinToken = await signJoinToken(
      {
        jti: crypto.randomUUID(),
        owner: world.owner.publicKey,
        relay: { id: world.relayId, address: world.address },
        name: "late",
        labels: {},
        uses: 1,
        iat,
        exp: iat + 600,
      },
      world.owner,
    );
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const home = path.join(world.directory, `late-${hours}`);
    const agent = new Agent({ home, joinToken, version: "0.0.0-test", log });
    await agent.start();
    const refusal: unknown = await agent.linked().catch((thrown) => thrown);
    await agent.shutdown();
    expect(refusal).toMatchObject({ code: "LinkRefused" });
    expect(timesIn(String(refusal))).toHaveLength(2);
  });
});

it("clocks are shifted in tests only: no product code knows how", () => {
  const product = SOURCES.filter(({ path: file }) => !file.startsWith("e2e/"));
  const knowing = product.filter(({ text }) => /shifted-clock|with-clock/.test(text));
  expect(knowing.map(({ path: file }) => file)).toEqual([]);
});
