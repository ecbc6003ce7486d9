import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  ChainLog,
  chainNext,
  generateKeyPair,
  type Handlers,
  type KeyPair,
  type Link,
  signHead,
  thumbprint,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Log } from "../log.ts";
import { all, until, World } from "../testing/world.ts";

type AuditHandler = Handlers<typeof Link, undefined>["audit"];

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-pull-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

/**
 * Makes a machine's chain on disk, and an honest agent that streams it. `asked` are the requests that came.
 */
function machineChain(machineKey: KeyPair, name = "chain", limits = {}) {
  const log = ChainLog.open({ directory: path.join(directory, name), limits });
  const asked: { chain: string; after: number }[] = [];
  const head = (seq: number, hash: Uint8Array, signer = machineKey) =>
    signHead(
      {
        machine: thumbprint(signer.publicKey),
        chain: log.chain,
        seq,
        hash: Buffer.from(hash).toString("base64url"),
        at: Date.now(),
      },
      signer,
    );
  const audit: AuditHandler = async function* (request, { signal }) {
    asked.push({ chain: request.chain, after: Number(request.after) });
    let after = request.chain === log.chain ? Number(request.after) : 0;
    if (log.head.seq <= after) {
      const { seq, hash } = log.head;
      yield {
        chain: log.chain,
        firstSeq: BigInt(seq),
        previousHash: hash,
        records: [],
        head: await head(seq, hash),
      };
    }
    while (!signal.aborted) {
      for (const { firstSeq, previousHash, records, hashes } of log.read(after)) {
        after = firstSeq + records.length - 1;
        const signed = await head(after, hashes.at(-1) ?? previousHash);
        yield { chain: log.chain, firstSeq: BigInt(firstSeq), previousHash, records, head: signed };
      }
      await log.waitFor(after, signal);
    }
  };
  let made = 0;
  const add = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      made += 1;
      log.append(JSON.stringify({ type: "started", at: made, version: String(made) }));
    }
  };
  return { log, audit, asked, add, head };
}

/** Collects the relay's log of errors and warnings. */
function listening() {
  const said: string[] = [];
  const note = (event: string, fields?: Readonly<Record<string, unknown>>) => {
    said.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log: Log = { info: () => undefined, warn: note, error: note };
  return { said, log };
}

const copies = (world: World, machine: string) => {
  const home = path.join(world.stateDir, "audit", "machines", machine);
  return existsSync(home) ? readdirSync(home).sort() : [];
};

/** Reads the relay's copy through its own service. */
async function kept(world: World, chainId: string) {
  const owner = world.caller(world.owner);
  const headers = await owner.headers();
  const { chains } = await owner.audit.chains({}, { headers });
  const summary = chains.find(({ chain }) => chain?.id === chainId);
  const batches = summary === undefined ? [] : await all(owner.audit.read({ chainId }, { headers }));
  owner.close();
  return {
    summary,
    batches,
    records: batches.flatMap(({ records }) => records.map((body) => Buffer.from(body).toString())),
  };
}

const isComplete = async (world: World, { log }: { log: ChainLog }) =>
  Number((await kept(world, log.chain)).summary?.lastSeq) === log.head.seq;

describe("promise 8: the relay keeps a copy of a machine's chain", () => {
  it("from its first record, on as they are made, with the newest head that the machine signed", async () => {
    const machineKey = generateKeyPair();
    const chain = machineChain(machineKey);
    chain.add(3);
    await using world = await World.start();
    await world.agent("web-1", { machineKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    chain.add(2);
    await until(() => isComplete(world, chain));
    const { summary, batches, records } = await kept(world, chain.log.chain);
    expect(records).toHaveLength(5);
    expect(summary?.chain?.machineId).toBe(machineKey.id);
    expect(Buffer.from(summary?.machineKey ?? []).toString("base64url")).toBe(machineKey.publicKey);
    const { seq, hash } = chain.log.head;
    expect(Buffer.compare(summary?.hash ?? Buffer.alloc(0), hash)).toBe(0);
    const claims = JSON.parse(Buffer.from(summary?.head.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      chain: chain.log.chain,
      seq,
      hash: Buffer.from(hash).toString("base64url"),
    });
    for (const { previousHash, records: bodies, hashes } of batches) {
      let last: Uint8Array = previousHash;
      for (const [at, body] of bodies.entries()) {
        last = chainNext(last, body);
        expect(Buffer.compare(last, hashes[at] ?? Buffer.alloc(0))).toBe(0);
      }
    }
  });

  it("goes on where the copy stopped, after another link and after another start of the relay", async () => {
    const machineKey = generateKeyPair();
    const chain = machineChain(machineKey);
    chain.add(4);
    await using world = await World.start();
    const first = await world.agent("web-1", { machineKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    first.close();
    chain.add(3);
    await world.agent("web-1", { machineKey, audit: chain.audit, joinToken: "" });
    await until(() => isComplete(world, chain));
    await world.relay.shutdown();
    chain.add(2);
    await world.relay.listen();
    await world.agent("web-1", { machineKey, audit: chain.audit, joinToken: "" });
    await until(() => isComplete(world, chain));
    expect(chain.asked).toEqual([
      { chain: "", after: 0 },
      { chain: chain.log.chain, after: 4 },
      { chain: chain.log.chain, after: 7 },
    ]);
    expect((await kept(world, chain.log.chain)).records).toHaveLength(9);
  });

  it("what the machine has dropped meanwhile is a gap, not an error", async () => {
    const machineKey = generateKeyPair();
    const chain = machineChain(machineKey, "chain", { fileBytes: 300, keptBytes: 900 });
    chain.add(2);
    await using world = await World.start();
    const first = await world.agent("web-1", { machineKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    first.close();
    chain.add(50);
    await world.agent("web-1", { machineKey, audit: chain.audit, joinToken: "" });
    await until(() => isComplete(world, chain));
    const { batches } = await kept(world, chain.log.chain);
    expect(batches[0]?.firstSeq).toBe(1n);
    expect(Number(batches[1]?.firstSeq)).toBeGreaterThan(3);
  });

  it("promise 9: a machine that begins anew gets another copy, and only so many", async () => {
    const { said, log } = listening();
    const machineKey = generateKeyPair();
    await using world = await World.start({ log, auditBounds: { chainsPerMachine: 3 } });
    const ids: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const chain = machineChain(machineKey, `chain-${round}`);
      chain.add(1);
      const agent = await world.agent("web-1", {
        machineKey,
        audit: chain.audit,
        ...(round === 0 ? {} : { joinToken: "" }),
      });
      ids.push(chain.log.chain);
      if (round < 3) await until(() => isComplete(world, chain));
      else await until(() => said.some((line) => line.includes("has begun 3 audit chains")));
      agent.close();
    }
    expect(copies(world, machineKey.id)).toEqual(ids.slice(0, 3).sort());
  });

  it("an agent of before keeps none: that is said once", async () => {
    const { said, log } = listening();
    await using world = await World.start({ log });
    const machineKey = generateKeyPair();
    const first = await world.agent("web-1", { machineKey });
    await until(() => said.length > 0);
    first.close();
    const again = await world.agent("web-1", { machineKey, joinToken: "" });
    await until(() => again.calls.length === 0 && said.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(said).toEqual([expect.stringContaining("keeps no audit chain")]);
  });
});

describe("what a machine's chain may not bring", () => {
  type Batch = ReturnType<AuditHandler> extends AsyncIterable<infer Sent> ? Sent : never;

  /**
   * Starts a relay that has two records of a chain. Then the machine sends the result of `lie` on its third.
   */
  async function lied(
    lie: (honest: Batch, chain: ReturnType<typeof machineChain>, key: KeyPair) => Promise<Batch>,
  ) {
    const { said, log } = listening();
    const machineKey = generateKeyPair();
    const chain = machineChain(machineKey);
    chain.add(2);
    const world = await World.start({ log });
    const first = await world.agent("web-1", { machineKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    first.close();
    chain.add(1);
    const lying: AuditHandler = async function* (request, call) {
      for await (const honest of chain.audit(request, call)) yield await lie(honest, chain, machineKey);
    };
    const agent = await world.agent("web-1", { machineKey, audit: lying, joinToken: "" });
    await until(() => said.some((line) => line.includes("AuditBroken")));
    return { world, chain, machineKey, said, agent };
  }

  it.each<[string, Parameters<typeof lied>[0]]>([
    ["a record that was changed", async (honest) => ({ ...honest, records: [Buffer.from("{}")] })],
    [
      "a head of another machine",
      async (honest, chain) => ({
        ...honest,
        head: await chain.head(3, chain.log.head.hash, generateKeyPair()),
      }),
    ],
    [
      "a head of another place",
      async (honest, chain) => ({ ...honest, head: await chain.head(4, chain.log.head.hash) }),
    ],
    ["no head", async (honest) => ({ ...honest, head: "" })],
    [
      "a record in two lines",
      async (honest, chain) => {
        const body = Buffer.from('{"a":\n1}');
        const [previousHash = Buffer.alloc(32)] = [honest?.previousHash];
        return { ...honest, records: [body], head: await chain.head(3, chainNext(previousHash, body)) };
      },
    ],
    [
      "another history, signed as its own",
      async (honest, chain) => {
        const body = Buffer.from('{"type":"started","at":1,"version":"x"}');
        const previousHash = chainNext(Buffer.alloc(32), "another");
        return {
          ...honest,
          previousHash,
          records: [body],
          head: await chain.head(3, chainNext(previousHash, body)),
        };
      },
    ],
    [
      "an end before the copy's",
      async (honest, chain) => ({ ...honest, records: [], head: await chain.head(1, chain.log.head.hash) }),
    ],
  ])("%s: kept apart, the copy stays as it was, and no more is taken of that chain", async (_what, lie) => {
    const { world, chain, machineKey, agent, said } = await lied(lie);
    await using _ = world;
    expect((await kept(world, chain.log.chain)).records).toHaveLength(2);
    expect(copies(world, machineKey.id)).toEqual([chain.log.chain, "apart-1"].sort());
    const evidence = readFileSync(
      path.join(world.stateDir, "audit", "machines", machineKey.id, "apart-1", "evidence.json"),
      "utf8",
    );
    expect(JSON.parse(evidence)).toMatchObject({ chain: chain.log.chain });
    agent.close();
    const before = said.length;
    await world.agent("web-1", { machineKey, audit: chain.audit, joinToken: "" });
    await until(() => said.slice(before).some((line) => line.includes("did not follow its copy before")));
    expect((await kept(world, chain.log.chain)).records).toHaveLength(2);
    expect(copies(world, machineKey.id)).toHaveLength(2);
  });

  it("another machine's chain id spoils nothing for that one", async () => {
    const { said, log } = listening();
    await using world = await World.start({ log });
    const [honestKey, otherKey] = [generateKeyPair(), generateKeyPair()];
    const chain = machineChain(honestKey);
    chain.add(2);
    await world.agent("web-1", { machineKey: honestKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    const thief: AuditHandler = async function* (request, call) {
      for await (const batch of chain.audit(request, call)) {
        yield { ...batch, head: await chain.head(2, chain.log.head.hash, otherKey) };
      }
    };
    await world.agent("db-1", { machineKey: otherKey, audit: thief });
    await until(() => said.some((line) => line.includes("belongs to another machine")));
    chain.add(1);
    await until(() => isComplete(world, chain));
  });

  it.each([
    ["no JSON", "{"],
    ["another machine's", JSON.stringify({ chain: crypto.randomUUID(), machine: generateKeyPair().id })],
  ])("a copy whose origin.json is %s goes on as what its directory says", async (_what, text) => {
    await using world = await World.start();
    const machineKey = generateKeyPair();
    const { log, audit, add, asked } = machineChain(machineKey);
    add(3);
    const agent = await world.agent("web-1", { machineKey, audit });
    const copy = path.join(world.stateDir, "audit", "machines", machineKey.id, log.chain);
    await until(() => existsSync(path.join(copy, "head")));
    agent.close();
    await world.relay.shutdown();
    writeFileSync(path.join(copy, "origin.json"), text);
    await world.relay.listen();
    add(1);
    await world.agent("web-1", { machineKey, joinToken: "", audit });
    await until(() => asked.length > 1);
    expect(asked.at(-1)).toEqual({ chain: log.chain, after: 3 });
    const owner = world.caller(world.owner);
    const { chains } = await owner.audit.chains({}, { headers: await owner.headers() });
    expect(chains.at(-1)).toMatchObject({ chain: { id: log.chain, machineId: machineKey.id } });
  });

  it("a copy that was damaged on the relay's disk is set aside and fetched anew", async () => {
    const { said, log } = listening();
    const machineKey = generateKeyPair();
    const chain = machineChain(machineKey);
    chain.add(3);
    await using world = await World.start({ log });
    const first = await world.agent("web-1", { machineKey, audit: chain.audit });
    await until(() => isComplete(world, chain));
    first.close();
    await world.relay.shutdown();
    const copy = path.join(world.stateDir, "audit", "machines", machineKey.id, chain.log.chain);
    const file = path.join(copy, readdirSync(copy).find((name) => name.endsWith(".chain")) ?? "");
    writeFileSync(file, "nonsense\n");
    await world.relay.listen();
    await world.agent("web-1", { machineKey, audit: chain.audit, joinToken: "" });
    await until(() => isComplete(world, chain));
    expect(said.join()).toContain("audit copy damaged");
    expect(copies(world, machineKey.id)).toEqual([chain.log.chain, "apart-1"].sort());
  });
});
