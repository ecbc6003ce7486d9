import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  type AnyAuditRecord,
  ChainLog,
  generateKeyPair,
  type Handlers,
  type KeyPair,
  type Link,
  type MachineAuditRecord,
  readAuditRecord,
  signHead,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { all, type Caller, nowS, refusal, until, World } from "../testing/world.ts";

/** The promised time in milliseconds, doubled for a busy computer. */
const REVOKED_WITHIN_MS = 4_000;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-audit-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Makes a machine with a chain of its own that records as told. */
function recording(name: string) {
  const machineKey = generateKeyPair();
  const log = ChainLog.open({ directory: path.join(directory, name) });
  const audit: Handlers<typeof Link, undefined>["audit"] = async function* (request, { signal }) {
    let after = Number(request.after);
    while (!signal.aborted) {
      for (const { firstSeq, previousHash, records, hashes } of log.read(after)) {
        after = firstSeq + records.length - 1;
        const hash = Buffer.from(hashes.at(-1) ?? previousHash).toString("base64url");
        const head = { machine: machineKey.id, chain: log.chain, seq: after, hash, at: Date.now() };
        const signed = await signHead(head, machineKey);
        yield { chain: log.chain, firstSeq: BigInt(firstSeq), previousHash, records, head: signed };
      }
      await log.waitFor(after, signal);
    }
  };
  const says = (...records: MachineAuditRecord[]) => {
    for (const record of records) log.append(JSON.stringify(record));
  };
  return { machineKey, log, audit, says };
}

const begin = (key: KeyPair, call: string, at: number): MachineAuditRecord => ({
  type: "begin",
  at,
  call,
  door: "relay",
  key: key.id,
  keyName: "test",
  method: "/cmdop.v1.Exec/Start",
  what: "uptime",
});
const end = (call: string, at: number): MachineAuditRecord => ({ type: "end", at, call, code: "Ok", ms: 1 });

interface Entry {
  machineId: string;
  seq: number;
  record: AnyAuditRecord | undefined;
}

/** Starts a relay with two machines with chains, and two keys: one for each machine. */
async function house() {
  const world = await World.start();
  const [web, db] = [recording("web"), recording("db")];
  const webKey = await world.key({ scopes: ["audit:read", "files:read"], machines: [{ name: "web-*" }] });
  const dbKey = await world.key({ scopes: ["audit:read", "files:read"], machines: [{ name: "db-1" }] });
  const everyKey = await world.key({ scopes: ["audit:read"], machines: [{ name: "*" }] });
  await world.agent("web-1", { machineKey: web.machineKey, audit: web.audit });
  await world.agent("db-1", { machineKey: db.machineKey, audit: db.audit });
  const owner = world.caller(world.owner);
  const chainsOf = async (caller: Caller) =>
    (await caller.audit.chains({}, { headers: await caller.headers() })).chains;
  const copied = () =>
    until(async () => {
      const chains = await chainsOf(owner);
      return [web, db].every(
        ({ log }) =>
          log.head.seq === 0 ||
          chains.some(({ chain, lastSeq }) => chain?.id === log.chain && Number(lastSeq) === log.head.seq),
      );
    });
  const ask = async (caller: Caller, request: object = {}): Promise<Entry[]> =>
    (await all(caller.audit.query(request, { headers: await caller.headers() }))).map(entryOf);
  return { world, web, db, owner, webKey, dbKey, everyKey, chainsOf, copied, ask };
}

function entryOf({
  chain,
  seq,
  body,
}: {
  chain?: { machineId: string } | undefined;
  seq: bigint;
  body: Uint8Array;
}): Entry {
  const machineId = chain?.machineId ?? "";
  return {
    machineId,
    seq: Number(seq),
    record: readAuditRecord(body, machineId === "" ? "relay" : "machine"),
  };
}

const ids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());

describe("promise 8: Audit.Query", () => {
  it("brings the records of all chains, the oldest first", async () => {
    const { world, web, db, owner, webKey, dbKey, copied, ask } = await house();
    await using _ = world;
    const [a = "", b = "", c = ""] = ids(3);
    web.says(begin(webKey, a, 1_000), end(a, 4_000), begin(webKey, c, 5_000));
    db.says(begin(dbKey, b, 2_000), end(b, 3_000), end(b, 6_000));
    await copied();
    const entries = await ask(owner);
    const early = entries.filter(({ record }) => (record?.at ?? 0) < 10_000);
    expect(early.map(({ record }) => record?.at)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
    expect(early.map(({ machineId, seq }) => [machineId === web.machineKey.id ? "web" : "db", seq])).toEqual([
      ["web", 1],
      ["db", 1],
      ["db", 2],
      ["web", 2],
      ["web", 3],
      ["db", 3],
    ]);
    const ours = entries.filter(({ machineId }) => machineId === "");
    expect(ours[0]?.record?.type).toBe("started");
    expect(entries).toEqual([...early, ...ours]);
  });

  it("by machine, by key with the ends of its calls, and by time", async () => {
    const { world, web, db, owner, webKey, dbKey, copied, ask } = await house();
    await using _ = world;
    const [a = "", b = ""] = ids(2);
    const job = {
      type: "job" as const,
      at: 2_500,
      job: a,
      key: webKey.id,
      outcome: "exited",
      exitCode: 0,
      ms: 5,
    };
    web.says(begin(webKey, a, 1_000), begin(dbKey, b, 1_500), end(b, 1_700), end(a, 2_000), job);
    db.says(begin(dbKey, a, 1_100));
    await copied();
    const caller = world.caller(webKey);
    await caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") });
    const [machineId, keyId] = [web.machineKey.id, webKey.id];
    const of = async (request: object) => (await ask(owner, request)).map(({ record }) => record?.type);
    expect(await of({ machineId, untilMs: 10_000 })).toEqual(["begin", "begin", "end", "end", "job"]);
    expect(await of({ keyId, untilMs: 10_000 })).toEqual(["begin", "end", "job"]);
    expect(await of({ keyId, machineId: db.machineKey.id })).toEqual([]);
    expect(await of({ keyId })).toEqual(["begin", "end", "job", "begin", "end"]);
    expect(await of({ machineId, sinceMs: 10_000 })).toEqual(["begin", "end"]);
    // An end in the requested time counts, though its begin was before.
    expect(await of({ keyId, sinceMs: 1_900, untilMs: 2_100 })).toEqual(["end"]);
  });

  it("shows a key its machines' chains, and of the relay's own what concerns them or itself", async () => {
    const { world, web, db, owner, webKey, dbKey, everyKey, copied, ask } = await house();
    await using _ = world;
    const [a = "", b = ""] = ids(2);
    web.says(begin(webKey, a, 1_000));
    db.says(begin(dbKey, b, 2_000));
    await copied();
    const [asWeb, asDb] = [world.caller(webKey), world.caller(dbKey)];
    await asWeb.files.info({ path: "/" }, { headers: await asWeb.headers("web-1") });
    await asDb.files.info({ path: "/" }, { headers: await asDb.headers("db-1") });
    expect(await refusal(asDb.files.info({ path: "/" }, { headers: await asDb.headers("web-1") }))).toBe(
      "MachineUnknown",
    );
    expect(await refusal(asWeb.keys.list({}, { headers: await asWeb.headers() }))).toBe("PermissionDenied");
    const seen = await ask(asWeb);
    expect(seen.filter(({ machineId }) => machineId !== "").map(({ machineId }) => machineId)).toEqual([
      web.machineKey.id,
    ]);
    const ours = seen.flatMap(({ machineId, record }) =>
      machineId === "" && record !== undefined ? [record] : [],
    );
    const told = ours.map((record) => [record.type, "method" in record ? record.method.split("/")[2] : ""]);
    expect(told).toEqual([
      ["started", ""],
      ["begin", "Info"],
      ["end", ""],
      ["refused", "Info"],
      ["refused", "List"],
      ["begin", "Query"],
    ]);
    expect(ours.find(({ type }) => type === "refused")).toMatchObject({ key: dbKey.id, machine: "web-1" });
    // A key that reaches every machine sees as much as an owner, apart from newer records.
    const whole = await ask(owner);
    const asEvery = await ask(world.caller(everyKey));
    expect(asEvery.slice(0, whole.length)).toEqual(whole);
    // Records that a key may not see look as if they did not exist.
    expect(await ask(asWeb, { machineId: db.machineKey.id, untilMs: 10_000 })).toEqual([]);
    expect(await ask(asWeb, { keyId: dbKey.id, untilMs: 10_000 })).toEqual([]);
  });

  it("follows: what is recorded after the question comes too, of chains that began later as well, until the caller leaves", async () => {
    const { world, web, db, owner, webKey, dbKey, copied } = await house();
    await using _ = world;
    const [a = "", b = ""] = ids(2);
    web.says(begin(webKey, a, 1_000));
    await copied();
    const leaving = new AbortController();
    const headers = await owner.headers();
    const entries: Entry[] = [];
    const following = (async () => {
      const request = { follow: true, untilMs: 10_000 };
      for await (const response of owner.audit.query(request, { headers, signal: leaving.signal })) {
        entries.push(entryOf(response));
      }
    })();
    await until(() => entries.length === 1);
    web.says(end(a, 3_000));
    await until(() => entries.length === 2);
    db.says(begin(dbKey, b, 500));
    await until(() => entries.length === 3);
    expect(entries.map(({ record }) => record?.at)).toEqual([1_000, 3_000, 500]);
    leaving.abort();
    expect(await refusal(following)).toBe("Canceled");
  });

  it("promise 8: a key that is revoked hears no more, within two seconds", async () => {
    const { world, webKey } = await house();
    await using _ = world;
    const caller = world.caller(webKey);
    const headers = await caller.headers();
    const stream = caller.audit.query({ follow: true }, { headers })[Symbol.asyncIterator]();
    expect((await stream.next()).done).toBe(false);
    const rest = async () => {
      while (!(await stream.next()).done);
    };
    const following = refusal(rest());
    const revokedAtMs = performance.now();
    await world.putRoster({ seq: 2, revoked: [webKey.id] });
    expect(await following).toBe("KeyRevoked");
    expect(performance.now() - revokedAtMs).toBeLessThan(REVOKED_WITHIN_MS);
  });

  it("promise 9: only so many at once, of one key and in all", async () => {
    await using world = await World.start({ auditBounds: { readers: 3, readersPerKey: 2 } });
    const [owner, other] = [
      world.caller(world.owner),
      world.caller(await world.key({ scopes: ["audit:read"] })),
    ];
    const leaving = new AbortController();
    const follow = async (caller: Caller) => {
      const headers = await caller.headers();
      const stream = caller.audit.query({ follow: true }, { headers, signal: leaving.signal });
      await stream[Symbol.asyncIterator]().next();
    };
    const question = async (caller: Caller) =>
      refusal(all(caller.audit.query({}, { headers: await caller.headers() })));
    await Promise.all([follow(owner), follow(owner)]);
    expect(await question(owner)).toBe("LimitExceeded");
    expect(await question(other)).toBe("no error");
    await follow(other);
    expect(await question(other)).toBe("LimitExceeded");
    leaving.abort();
    await until(async () => (await question(owner)) === "no error");
  });

  it("whoever follows is told when the relay ends, and does not keep it", async () => {
    const world = await World.start({ times: { shutdownDrainMs: 3_600_000 } });
    const owner = world.caller(world.owner);
    const headers = await owner.headers();
    const stream = owner.audit.query({ follow: true }, { headers })[Symbol.asyncIterator]();
    await stream.next();
    const rest = async () => {
      while (!(await stream.next()).done);
    };
    const following = refusal(rest());
    const ended = world[Symbol.asyncDispose]();
    expect(await following).toBe("RelayUnreachable");
    await ended;
  });
});

describe("promise 8: Audit.Chains and Audit.Read", () => {
  it("tell owners, and keys that reach every machine, all chains; others those of their machines", async () => {
    const { world, web, db, owner, webKey, dbKey, everyKey, chainsOf, copied } = await house();
    await using _ = world;
    web.says(begin(webKey, crypto.randomUUID(), 1_000));
    await copied();
    db.says(begin(dbKey, crypto.randomUUID(), 2_000));
    await copied();
    const machinesOf = async (key: KeyPair) =>
      (await chainsOf(world.caller(key))).map(({ chain }) => chain?.machineId);
    const [webId, dbId] = [web.machineKey.id, db.machineKey.id];
    expect(await machinesOf(world.owner)).toEqual(["", webId, dbId]);
    expect(await machinesOf(everyKey)).toEqual(["", webId, dbId]);
    expect(await machinesOf(webKey)).toEqual([webId]);
    const [own] = await chainsOf(owner);
    const read = async (key: KeyPair, chainId = "") => {
      const caller = world.caller(key);
      return refusal(all(caller.audit.read({ chainId }, { headers: await caller.headers() })));
    };
    expect(await read(everyKey, own?.chain?.id)).toBe("no error");
    expect(await read(webKey, own?.chain?.id)).toBe("NotFound");
    expect(await read(webKey, web.log.chain)).toBe("no error");
    expect(await read(webKey, db.log.chain)).toBe("NotFound");
    expect(await read(world.owner, crypto.randomUUID())).toBe("NotFound");
    const scopeless = await world.key({ scopes: ["files:read"] });
    expect(await read(scopeless, web.log.chain)).toBe("PermissionDenied");
  });

  it("Read goes on behind a seq", async () => {
    const { world, web, owner, webKey, copied } = await house();
    await using _ = world;
    for (const call of ids(5)) web.says(begin(webKey, call, nowS()));
    await copied();
    const request = { chainId: web.log.chain, after: 3n };
    const batches = await all(owner.audit.read(request, { headers: await owner.headers() }));
    expect(batches.map(({ firstSeq, records, hashes }) => [firstSeq, records.length, hashes.length])).toEqual(
      [[4n, 2, 2]],
    );
  });
});
