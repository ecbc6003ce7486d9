import { generateKeyPair } from "@cmdop/proto";
import { expect, it } from "vitest";
import { ofType, relayRecords } from "../testing/relay-records.ts";
import { all, refusal, until, World } from "../testing/world.ts";

/** Number of agents at once with one machine key. */
const CLONES = 20;

/** Starts a relay that keeps its log, and a machine with the key that others have copied. */
async function setUp() {
  const logged: string[] = [];
  const note = (event: string) => logged.push(event);
  const world = await World.start({ log: { info: () => undefined, warn: note, error: note } });
  const machineKey = generateKeyPair();
  const again = { machineKey, joinToken: "" };
  const owner = world.caller(world.owner);
  const caller = world.caller(await world.key());
  const call = async () =>
    refusal(caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") }));
  const sinceMs = async () => {
    const { machines } = await caller.machines.list({}, { headers: await caller.headers() });
    return machines[0]?.quarantinedSinceMs;
  };
  const release = async (as = owner) =>
    as.machines.release({ machineId: machineKey.id }, { headers: await as.headers() });
  return { world, machineKey, again, logged, caller, owner, call, sinceMs, release };
}

it("an agent that restarts, loses lanes and dials again before its old link is known to be dead is never quarantined", async () => {
  const { world, machineKey, again, logged, call, sinceMs } = await setUp();
  await using _ = world;
  let agent = await world.agent("web-1", { machineKey });
  for (let start = 0; start < 5; start += 1) {
    for (const lane of ["download", "interactive", "upload", "interactive"] as const) {
      // The link before it is still open.
      agent = await world.agent("web-1", { ...again, bootId: agent.bootId, lane });
    }
    agent = await world.agent("web-1", again);
  }
  expect(await call()).toBe("no error");
  expect(await sinceMs()).toBe(0);
  expect(logged.filter((event) => event.includes("quarantine"))).toEqual([]);
});

it(`${CLONES} agents at once with a copied machine key: none of them is the machine any more, and a caller hears why`, async () => {
  const { world, machineKey, again, logged, call, sinceMs } = await setUp();
  await using _ = world;
  const genuine = await world.agent("web-1", { machineKey });
  const boots = [genuine.bootId, ...Array.from({ length: CLONES }, () => crypto.randomUUID())];
  // Each dials again when its link is closed, as agents do, in no order.
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(boots.map((bootId) => refusal(world.dial({ ...again, bootId }))));
  }
  expect(await call()).toBe("MachineQuarantined");
  expect(await sinceMs()).toBeGreaterThan(0);
  for (const bootId of boots) expect(await refusal(world.dial({ ...again, bootId }))).toBe("LinkRefused");
  // An agent with an invented boot id is refused just like them.
  expect(await refusal(world.dial(again))).toBe("LinkRefused");
  expect((await world.health()).links).toEqual({ interactive: 0, download: 0, upload: 0 });
  expect(logged.filter((event) => event.startsWith("machine quarantined"))).toHaveLength(1);
  expect(ofType(relayRecords(world.stateDir), "quarantine")).toMatchObject([
    { state: "begun", machine: machineKey.id, machineName: "web-1", address: "127.0.0.1" },
  ]);
});

it("a quarantine outlives the relay, ends the calls that are open, and no other machine notices", async () => {
  const { world, machineKey, again, caller, call } = await setUp();
  await using _ = world;
  const genuine = await world.agent("web-1", { machineKey });
  await world.agent("other");
  await world.agent("web-1", again);
  const open = caller.jobs
    .attach({ jobId: "j" }, { headers: await caller.headers("web-1") })
    [Symbol.asyncIterator]();
  await open.next();
  expect(await refusal(world.dial({ ...again, bootId: genuine.bootId }))).toBe("LinkRefused");
  expect(await refusal(open.next())).toBe("LinkLost");
  await world.restart();
  expect(await call()).toBe("MachineQuarantined");
  expect(await refusal(world.dial(again))).toBe("LinkRefused");
  await world.agent("other", {
    machineKey: generateKeyPair(),
    joinToken: await world.joinToken({ name: "other-2" }),
  });
});

it("only an owner releases a machine; then the one that stays is let in, and two that alternate are quarantined again", async () => {
  const { world, machineKey, again, call, release } = await setUp();
  await using _ = world;
  const genuine = await world.agent("web-1", { machineKey });
  const clone = await world.agent("web-1", again);
  const back = { ...again, bootId: genuine.bootId };
  expect(await refusal(world.dial(back))).toBe("LinkRefused");
  expect(await refusal(release(world.caller(await world.key({ scopes: ["admin"] }))))).toBe(
    "PermissionDenied",
  );
  await release();
  await world.agent("web-1", back);
  expect(await call()).toBe("no error");
  await world.agent("web-1", { ...again, bootId: clone.bootId });
  expect(await refusal(world.dial(back))).toBe("LinkRefused");
  expect(await call()).toBe("MachineQuarantined");
  expect(ofType(relayRecords(world.stateDir), "quarantine").map(({ state }) => state)).toEqual([
    "begun",
    "released",
    "begun",
  ]);
});

it("a machine that is removed and joins anew is in no quarantine; who may see the machine sees the records of it", async () => {
  const { world, machineKey, again, call, owner } = await setUp();
  await using _ = world;
  const genuine = await world.agent("web-1", { machineKey });
  await world.agent("web-1", again);
  expect(await refusal(world.dial({ ...again, bootId: genuine.bootId }))).toBe("LinkRefused");
  const reader = world.caller(await world.key({ scopes: ["audit:read"], machines: [{ name: "web-1" }] }));
  const stranger = world.caller(await world.key({ scopes: ["audit:read"], machines: [{ name: "x" }] }));
  const seen = async (as: typeof reader) => {
    const records = await all(as.audit.query({}, { headers: await as.headers() }));
    return records.filter(({ body }) => Buffer.from(body).includes('"quarantine"')).length;
  };
  expect(await seen(reader)).toBe(1);
  expect(await seen(stranger)).toBe(0);
  await owner.machines.remove({ machineId: machineKey.id }, { headers: await owner.headers() });
  expect(await refusal(world.dial(again))).toBe("LinkRefused");
  await world.agent("web-1", { machineKey: generateKeyPair() });
  await until(async () => (await call()) === "no error");
});
