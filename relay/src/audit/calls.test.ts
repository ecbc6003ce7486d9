import { connect } from "node:net";
import { generateKeyPair, HEADERS, signCallToken } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { ofType, relayRecords } from "../testing/relay-records.ts";
import { all, nowS, refusal, until, World } from "../testing/world.ts";

/**
 * Starts a relay with a machine and a key. `calls` returns the records of calls that reached a machine, by
 * method.
 */
async function house(options: Parameters<typeof World.start>[0] = {}) {
  const world = await World.start(options);
  const web = await world.agent("web-1");
  const key = await world.key({ name: "deploy" });
  const caller = world.caller(key);
  const records = () => relayRecords(world.stateDir);
  const begun = (method: string) =>
    ofType(records(), "begin").filter((record) => record.method.endsWith(method));
  const endOf = (call: string) => ofType(records(), "end").filter((record) => record.call === call);
  /** Returns the only call of a method, once its end is recorded. */
  const only = async (method: string) => {
    await until(() => begun(method).some(({ call }) => endOf(call).length > 0));
    const [begin, ...more] = begun(method);
    if (begin === undefined) throw new Error("no begin");
    expect(more).toEqual([]);
    const [end, ...again] = endOf(begin.call);
    expect(again).toEqual([]);
    return { begin, end };
  };
  return { world, web, key, caller, records, begun, only };
}

describe("promise 8: every call leaves a record at the relay", () => {
  it("a call to a machine: who, from where, which machine, which method, how it ended, how many bytes", async () => {
    const { world, web, key, caller, only, records } = await house();
    await using _ = world;
    await caller.files.read({ path: "/5000" }, { headers: await caller.headers("web-1") });
    const { begin, end } = await only("Files/Read");
    expect(begin).toMatchObject({
      key: key.id,
      keyName: "deploy",
      address: "127.0.0.1",
      machine: web.id,
      machineName: "web-1",
      method: "/cmdop.v1.Files/Read",
    });
    expect(end).toMatchObject({ code: "Ok" });
    expect(end?.bytesIn).toBeGreaterThan(5);
    expect(end?.bytesOut).toBeGreaterThan(5_000);
    expect(end?.ms).toBeGreaterThan(0);
    expect(records()[0]).toMatchObject({ type: "started" });
  });

  it("the machine is told the call's id, and never one that the caller made up", async () => {
    const { world, web, caller, only } = await house();
    await using _ = world;
    const headers = { ...(await caller.headers("web-1")), [HEADERS.call]: crypto.randomUUID() };
    await caller.files.info({ path: "/x" }, { headers });
    const { begin } = await only("Files/Info");
    expect(web.calls.map(({ header }) => header(HEADERS.call))).toEqual([begin.call]);
  });

  it("a call to the relay itself, an owner's too", async () => {
    const { world, begun } = await house();
    await using _ = world;
    expect(begun("Roster/Put")).toEqual([
      expect.objectContaining({ key: world.owner.id, keyName: "owner", machine: null, machineName: "" }),
    ]);
  });

  it.each([
    ["the machine's own refusal", "fail", "PolicyDenied"],
    ["success of a stream", "output 3 100", "Ok"],
  ])("ends with its code: %s", async (_what, command, code) => {
    const { world, caller, only } = await house();
    await using _ = world;
    const request = { jobId: crypto.randomUUID(), command: { case: "shell" as const, value: command } };
    await refusal(all(caller.exec.start(request, { headers: await caller.headers("web-1") })));
    expect((await only("Exec/Start")).end).toMatchObject({ code });
  });

  it("begins are written before the machine hears of the call, and a caller who leaves ends it as Canceled", async () => {
    const { world, web, caller, begun, only } = await house();
    await using _ = world;
    const leaving = new AbortController();
    const headers = await caller.headers("web-1");
    const request = { jobId: crypto.randomUUID(), command: { case: "shell" as const, value: "hang" } };
    const running = refusal(all(caller.exec.start(request, { headers, signal: leaving.signal })));
    await until(() => web.calls.length > 0);
    expect(begun("Exec/Start")).toHaveLength(1);
    leaving.abort();
    expect(await running).toBe("Canceled");
    expect((await only("Exec/Start")).end).toMatchObject({ code: "Canceled" });
  });

  it("a link that breaks, a request that is too large, a key that is revoked: each ends its call by its name", async () => {
    const { world, web, caller, key, only } = await house();
    await using _ = world;
    const large = { path: "/".padEnd(80_000, "x") };
    expect(await refusal(caller.files.delete(large, { headers: await caller.headers("web-1") }))).toBe(
      "MessageTooLarge",
    );
    expect((await only("Files/Delete")).end).toMatchObject({ code: "MessageTooLarge" });
    const hang = async () => {
      const headers = await caller.headers("web-1");
      const before = web.calls.length;
      const running = refusal(all(caller.jobs.attach({ jobId: crypto.randomUUID() }, { headers })));
      await until(() => web.calls.length > before);
      return running;
    };
    const attached = hang();
    await until(() => web.calls.some(({ path }) => path.endsWith("Jobs/Attach")));
    await world.putRoster({ seq: 2, revoked: [key.id] });
    expect(await attached).toBe("KeyRevoked");
    expect((await only("Jobs/Attach")).end).toMatchObject({ code: "KeyRevoked" });
  });

  it("a call that is open when the link breaks", async () => {
    const { world, web, caller, only } = await house();
    await using _ = world;
    const headers = await caller.headers("web-1");
    const running = refusal(all(caller.jobs.attach({ jobId: crypto.randomUUID() }, { headers })));
    await until(() => web.calls.length > 0);
    web.tls.destroy();
    expect(await running).toBe("LinkLost");
    expect((await only("Jobs/Attach")).end).toMatchObject({ code: "LinkLost" });
  });

  it("what is open when the relay ends, has an end too", async () => {
    const { world, web, caller, begun, records } = await house();
    const disposable = world;
    const headers = await caller.headers("web-1");
    const running = refusal(all(caller.jobs.attach({ jobId: crypto.randomUUID() }, { headers })));
    await until(() => web.calls.length > 0);
    await world.relay.shutdown();
    await running;
    const calls = begun("").map(({ call }) => call);
    expect(
      ofType(records(), "end")
        .map(({ call }) => call)
        .sort(),
    ).toEqual(calls.sort());
    await disposable[Symbol.asyncDispose]();
  });
});

it("promise 9: the relay's own chain keeps to its bound; the oldest records go", async () => {
  const { world, caller, records } = await house({
    auditBounds: { relayChain: { fileBytes: 2_000, keptBytes: 8_000 } },
  });
  await using _ = world;
  const headers = await caller.headers("web-1");
  for (let call = 0; call < 40; call += 1) await caller.files.info({ path: "/" }, { headers });
  expect(JSON.stringify(records()).length).toBeLessThan(12_000);
  expect(records().some(({ type }) => type === "started")).toBe(false);
  const owner = world.caller(world.owner);
  const [own] = (await owner.audit.chains({}, { headers: await owner.headers() })).chains;
  expect(Number(own?.firstSeq)).toBeGreaterThan(40);
  expect(Number(own?.lastSeq)).toBeGreaterThan(80);
});

it("promise 9: a key that has filled its share of the chain has its reads counted, by machine; never what changes something, nor another key's", async () => {
  const shares = { methodBytes: 3_000, methodBytesPerHour: 0 };
  const { world, web, key, caller, records, begun } = await house({ auditBounds: { shares } });
  await using _ = world;
  const headers = await caller.headers("web-1");
  for (let call = 0; call < 40; call += 1) await caller.files.read({ path: "/10" }, { headers });
  expect(await refusal(caller.files.read({ path: "/fail/5" }, { headers }))).toBe("NotFound");
  for (let call = 0; call < 20; call += 1) {
    await caller.files.delete({ path: "/" }, { headers });
  }
  const other = world.caller(await world.key({ name: "other" }));
  await other.files.read({ path: "/10" }, { headers: await other.headers("web-1") });
  await world.relay.shutdown();
  const counted = ofType(records(), "counted");
  expect(counted).toMatchObject([
    { key: key.id, keyName: "deploy", machine: web.id, method: "/cmdop.v1.Files/Read", calls: 1, failed: 0 },
    { key: key.id, machineName: "web-1", failed: 1 },
  ]);
  expect(counted[1]?.bytesOut).toBeGreaterThan(100);
  const singly = begun("Files/Read").filter(({ keyName }) => keyName === "deploy").length;
  expect(singly).toBeGreaterThan(2);
  expect(singly + counted.reduce((sum, { calls }) => sum + calls, 0)).toBe(41);
  expect(begun("Files/Delete")).toHaveLength(20);
  expect(begun("Files/Read").some(({ keyName }) => keyName === "other")).toBe(true);
});

describe("promise 8: every refusal leaves a record", () => {
  it("names the key only where it has proven itself, and never holds a token", async () => {
    const { world, key, caller, records } = await house();
    await using _ = world;
    const owner = world.caller(world.owner);
    expect(await refusal(caller.keys.list({}, { headers: await caller.headers() }))).toBe("PermissionDenied");
    expect(await refusal(caller.files.info({ path: "/" }, { headers: await caller.headers("db-9") }))).toBe(
      "MachineUnknown",
    );
    expect(await refusal(owner.files.info({ path: "/" }, { headers: await owner.headers("web-1") }))).toBe(
      "PermissionDenied",
    );
    const session = await world.rawCaller();
    const token = await signCallToken({ relayId: world.relay.id, machine: "web-1" }, key, nowS());
    const attempt = async (authorization: string) =>
      errorOf(
        await rawAnswer(
          rawCall(session, "/cmdop.v1.Files/Info", { authorization, [HEADERS.machine]: "web-1" }).end(
            Buffer.alloc(5),
          ),
        ),
      );
    const forged = `${token.slice(0, -86)}${"A".repeat(86)}`;
    expect(await attempt(`Bearer ${forged}`)).toBe("Unauthenticated");
    const unknown = await signCallToken(
      { relayId: world.relay.id, machine: "web-1" },
      generateKeyPair(),
      nowS(),
    );
    expect(await attempt(`Bearer ${unknown}`)).toBe("KeyUnknown");
    const stale = await signCallToken({ relayId: world.relay.id, machine: "web-1" }, key, nowS() - 500);
    expect(await attempt(`Bearer ${stale}`)).toBe("TokenExpired");
    await world.putRoster({ seq: 2, revoked: [key.id] });
    expect(await attempt(`Bearer ${token}`)).toBe("KeyRevoked");
    const refused = ofType(records(), "refused").map(({ key, machine, method, code, count }) => ({
      key,
      machine,
      method: method.split("/")[2],
      code,
      count,
    }));
    const once = { count: 1 };
    expect(refused).toEqual([
      { ...once, key: key.id, machine: null, method: "List", code: "PermissionDenied" },
      { ...once, key: key.id, machine: "db-9", method: "Info", code: "MachineUnknown" },
      { ...once, key: world.owner.id, machine: "web-1", method: "Info", code: "PermissionDenied" },
      { ...once, key: null, machine: "web-1", method: "Info", code: "Unauthenticated" },
      { ...once, key: null, machine: "web-1", method: "Info", code: "KeyUnknown" },
      { ...once, key: key.id, machine: "web-1", method: "Info", code: "TokenExpired" },
      { ...once, key: key.id, machine: "web-1", method: "Info", code: "KeyRevoked" },
    ]);
    const written = JSON.stringify(records());
    for (const secret of [token, forged, unknown, stale]) {
      for (const part of secret.split(".")) expect(written).not.toContain(part);
    }
  });

  it("a machine that is offline, and a method that there is not", async () => {
    const { world, web, caller, key, records } = await house();
    await using _ = world;
    web.close();
    await until(async () => (await world.health()).links.interactive === 0);
    expect(await refusal(caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") }))).toBe(
      "MachineOffline",
    );
    const session = await world.rawCaller();
    const path = `/cmdop.v1.Evil/\u001b]0;${"x".repeat(9_000)}`;
    await rawAnswer(rawCall(session, encodeURI(path), {}).end());
    expect(ofType(records(), "refused")).toMatchObject([
      { key: key.id, code: "MachineOffline", machine: "web-1" },
      { key: null, code: "Unimplemented", method: encodeURI(path).slice(0, 64) },
    ]);
  });

  it("many alike are one record with their count; a caller that varies what it does is counted all the same", async () => {
    const world = await World.start({ auditBounds: { refusalsEach: 3, refusalsOfKeys: 6 } });
    await using _ = world;
    const caller = world.caller(await world.key());
    const attempt = async (machine: string) =>
      refusal(caller.files.info({ path: "/" }, { headers: await caller.headers(machine) }));
    for (let repeat = 0; repeat < 20; repeat += 1) await attempt("db-1");
    for (let index = 0; index < 20; index += 1) await attempt(`guess-${index}`);
    const before = ofType(relayRecords(world.stateDir), "refused");
    expect(before.map(({ machine, count }) => [machine, count])).toEqual([
      ["db-1", 1],
      ["guess-0", 1],
      ["guess-1", 1],
      [null, 1],
    ]);
    await world.relay.shutdown();
    const refused = ofType(relayRecords(world.stateDir), "refused");
    expect(refused.reduce((sum, { count }) => sum + count, 0)).toBe(40);
    expect(refused).toHaveLength(6);
  });

  it("strangers with many addresses do not fill the disk either", async () => {
    const world = await World.start({ auditBounds: { refusalsOfStrangers: 5 } });
    await using _ = world;
    for (let host = 1; host <= 12; host += 1) {
      const port = world.relay.port;
      const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${100 + host}` });
      const session = await world.rawCaller({}, socket);
      await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", {}).end());
      await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", {}).end());
    }
    await world.relay.shutdown();
    const refused = ofType(relayRecords(world.stateDir), "refused");
    expect(refused.reduce((sum, { count }) => sum + count, 0)).toBe(24);
    expect(new Set(refused.map(({ address }) => address)).size).toBe(6);
    expect(refused).toHaveLength(12);
  });
});
