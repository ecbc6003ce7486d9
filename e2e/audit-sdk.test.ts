import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { AuditEntry, AuditReport, CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OwnersMachine, type OwnersWorld, startOwnersWorld } from "./support/owners-world.ts";

let world: OwnersWorld;
let web: OwnersMachine;
let client: CMDOPClient;
let keyId: string;
beforeEach(async () => {
  world = await startOwnersWorld();
  web = await world.addMachine("web-1");
  await world.addMachine("db-1");
  const created = await world.asOwner.keys.create({ name: "ops", scopes: ["terminal"], machines: ["*"] });
  client = world.client(created.apiKey, "web-1");
  keyId = created.keyId;
  for (const word of ["one", "two", "three"]) await client.terminal.execute(`echo ${word}`);
});
afterEach(() => world[Symbol.asyncDispose]());

async function all(entries: AsyncIterable<AuditEntry>): Promise<AuditEntry[]> {
  const read: AuditEntry[] = [];
  for await (const entry of entries) read.push(entry);
  return read;
}

/** What a report says of the chains of one machine, or with null of the relay's own. */
const chainsOf = ({ chains }: AuditReport, machineId: string | null) =>
  chains.filter((chain) => chain.machineId === machineId);

/** Rewrites the lines of the relay's files of a chain; the first line of each says whose chain it is. */
function edit(chain: string, change: (lines: string[]) => string[]): void {
  const audit = path.join(world.relayDirectory, "audit");
  for (const entry of readdirSync(audit, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith(".chain")) continue;
    const file = path.join(audit, entry);
    const [header = "", ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
    if (!header.includes(chain)) continue;
    writeFileSync(file, `${[header, ...change(lines)].join("\n")}\n`);
  }
}

/** Takes the first records of a chain away, as it goes when more comes than is kept. */
function loseBeginning(chain: string, count: number): void {
  const directory = path.join(world.relayDirectory, "audit", "relay");
  const file = path.join(directory, readdirSync(directory).find((name) => name.endsWith(".chain")) ?? "");
  const [header = "", ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
  const previous = lines[count - 1]?.split(" ")[0];
  const moved = JSON.stringify({ ...JSON.parse(header), chain, first: count + 1, previous });
  writeFileSync(file, `${[moved, ...lines.slice(count)].join("\n")}\n`);
}

describe("query", () => {
  it("promise 8: a call is found in both chains, by machine and by key, with what was run", async () => {
    // The relay's copy of the machine's chain is a moment behind.
    const atTheMachine = async () => {
      const entries = await all(world.asOwner.audit.query({ machine: "web-1", key: keyId }));
      return entries.filter(({ machineId }) => machineId === web.id);
    };
    await expect
      .poll(async () => (await atTheMachine()).filter(({ record }) => record?.type === "begin").length)
      .toBe(3);
    const byKey = await all(world.asOwner.audit.query({ key: "ops" }));
    const begun = byKey.flatMap(({ record, machineId }) =>
      record?.type === "begin" ? [{ record, machineId }] : [],
    );
    const atMachine = begun.filter(({ machineId }) => machineId === web.id);
    expect(atMachine.map(({ record }) => ("what" in record ? record.what : ""))).toEqual([
      expect.stringContaining("echo one"),
      expect.stringContaining("echo two"),
      expect.stringContaining("echo three"),
    ]);
    const atRelay = begun.filter(({ machineId }) => machineId === null);
    expect(atRelay.map(({ record }) => record.call)).toEqual(
      expect.arrayContaining(atMachine.map(({ record }) => record.call)),
    );
    expect(await atTheMachine()).toEqual(
      expect.arrayContaining(byKey.filter(({ machineId }) => machineId === web.id)),
    );
    expect(await all(world.asOwner.audit.query({ machine: "db-1", key: keyId }))).toEqual([]);
    expect(await all(world.asOwner.audit.query({ sinceMs: Date.now() + 60_000 }))).toEqual([]);
  });

  it("promise 3: following goes on over a restart of the relay, with nothing twice", async () => {
    const leave = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { record, chain, seq } of world.asOwner.audit.query({
        machine: "web-1",
        follow: true,
        signal: leave.signal,
      })) {
        seen.push(`${chain} ${seq}`);
        if (record?.type === "begin" && "what" in record && record.what?.includes("echo last")) return;
      }
    })();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    await world.restartRelay();
    await expect
      .poll(() => client.terminal.execute("echo last").then(({ outcome }) => outcome, String), {
        timeout: 30_000,
      })
      .toBe("exited");
    await following;
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("verify", () => {
  const verify = (options: Parameters<CMDOPClient["audit"]["verify"]>[0] = {}) =>
    world.asOwner.audit.verify(options);

  it("promise 8: chains that nobody touched hold, the machines confirm it, and the heads hold later too", async () => {
    const report = await verify();
    expect(report.chains.flatMap(({ problems }) => problems)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(chainsOf(report, web.id)).toMatchObject([{ machineName: "web-1", first: 1, confirmed: true }]);
    expect(chainsOf(report, null)).toMatchObject([{ first: 1, confirmed: null }]);
    expect(report.heads).toHaveLength(3);
    await client.terminal.execute("echo more");
    await world.restartRelay();
    const later = await verify({ heads: JSON.parse(JSON.stringify(report.heads)) });
    expect(later.chains.flatMap(({ problems }) => problems)).toEqual([]);
    const one = await verify({ machine: "web-1", heads: report.heads });
    expect(one.ok).toBe(true);
    expect(one.chains.map(({ machineId }) => machineId)).toEqual([web.id]);
  });

  const DEEDS: [string, (lines: string[]) => string[]][] = [
    ["changed", (lines) => lines.with(2, (lines[2] ?? "").replace(/"at":\d/, '"at":7'))],
    ["removed", (lines) => lines.toSpliced(2, 1)],
    ["reordered", (lines) => [...lines.slice(0, 2), lines[3] ?? "", lines[2] ?? "", ...lines.slice(4)]],
    ["cut off", (lines) => lines.slice(0, lines.length / 2)],
  ];

  it.each(DEEDS)(
    "promise 8: a record of the relay's own chain that was %s is found",
    async (_deed, change) => {
      const { heads } = await verify({ askMachines: false });
      const own = heads.find(({ machineId }) => machineId === null);
      if (own === undefined) throw new TypeError("no chain of the relay's own");
      await world.restartRelay(() => edit(own.chain, change));
      // What was cut off is missed by nobody but who has kept the head elsewhere.
      const report = await verify({ heads, askMachines: false });
      expect(report.ok).toBe(false);
      expect(chainsOf(report, null)[0]?.problems).not.toEqual([]);
      expect(report.heads.find(({ chain }) => chain === own.chain)).toEqual(own);
    },
  );

  it.each(DEEDS)(
    "promise 8: a record in the copy of a machine's chain that was %s is found",
    async (_deed, change) => {
      const [chain] = chainsOf(await verify(), web.id);
      if (chain === undefined) throw new TypeError("no copy of the machine's chain");
      await web.agent.shutdown();
      await world.restartRelay(() => edit(chain.chain, change));
      const report = await verify();
      expect(report.ok).toBe(false);
      expect(chainsOf(report, web.id)[0]?.problems).not.toEqual([]);
    },
  );

  it("promise 8: records that are gone since the heads were kept are counted and told, though what is left holds", async () => {
    const kept = await verify({ askMachines: false });
    const own = kept.heads.find(({ machineId }) => machineId === null);
    if (own === undefined) throw new TypeError("no chain of the relay's own");
    expect(chainsOf(kept, null)).toMatchObject([{ gone: 0, warnings: [] }]);
    await world.restartRelay(() => loseBeginning(own.chain, 4));
    const report = await verify({ heads: kept.heads, askMachines: false });
    expect(report.ok).toBe(true);
    expect(chainsOf(report, null)).toMatchObject([
      {
        first: 5,
        gone: 4,
        problems: [],
        warnings: [expect.stringMatching(/^4 records \(1 to 4\) .* are gone/)],
      },
    ]);
    // From now on that is how it is, until more goes.
    const later = await verify({ heads: report.heads, askMachines: false });
    expect(chainsOf(later, null)).toMatchObject([{ gone: 0, warnings: [] }]);
    // Heads that were kept before this was noted say nothing about it.
    const old = kept.heads.map(({ chain, machineId, seq, hash }) => ({ chain, machineId, seq, hash }));
    expect(chainsOf(await verify({ heads: old, askMachines: false }), null)).toMatchObject([{ gone: 0 }]);
  });

  it("promise 8: a machine that deleted its chain and began another is noted, though both hold", async () => {
    expect((await verify()).notes).toEqual([]);
    await web.agent.shutdown();
    rmSync(path.join(web.home, "agent", "audit"), { recursive: true });
    await world.startAgain(web);
    await expect.poll(async () => chainsOf(await verify(), web.id).length).toBe(2);
    expect((await verify()).notes).toEqual([expect.stringMatching(/^Machine web-1 has begun 2 chains/)]);
  });

  it("promise 10: heads that are none are refused with a word on what they should be", async () => {
    const heads = [{ chain: "x", machineId: null, seq: -1, hash: "y" }];
    await expect(verify({ heads })).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});
