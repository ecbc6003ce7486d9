import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  type Arrival,
  CmdopError,
  codec,
  Exec,
  Files,
  generateKeyPair,
  HEADERS,
  type KeyPair,
  type MachineAuditRecord,
  readAuditRecord,
  type Scope,
  signCallToken,
  signGrant,
  signJoinToken,
  signRoster,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MachineAudit } from "../audit/machine-audit.ts";
import { LivePolicy } from "../policy/live-policy.ts";
import { Membership } from "../state/membership.ts";
import { admitThrough, type Gate } from "./admit.ts";
import { Identifier } from "./identify.ts";
import { LargeAnswers } from "./large-answers.ts";
import { OpenCalls } from "./open-calls.ts";
import { StartedJobs } from "./started-jobs.ts";
import { watchStandings } from "./watch-standings.ts";

const START = "/cmdop.v1.Exec/Start";
const READ = "/cmdop.v1.Files/Read";
const RELAY_ID = generateKeyPair().id;

const owner = generateKeyPair();
const machineKey = generateKeyPair();
const key = generateKeyPair();
const nowS = (): number => Math.floor(Date.now() / 1000);

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

let directory: string;
let membership: Membership;
let gate: Gate;
let policy: LivePolicy;
let stopWatching: () => void;
/** Number of calls that reached a person, and the promise on which that person waits. */
let asked: number;
let answer: Promise<void>;

beforeEach(async () => {
  asked = 0;
  answer = Promise.resolve();
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-admit-"));
  const relay = { id: RELAY_ID, address: "127.0.0.1:1" };
  const claims = { jti: randomUUID(), owner: owner.publicKey, relay, name: "web-1", labels: {}, uses: 1 };
  const joinToken = await signJoinToken({ ...claims, iat: nowS(), exp: nowS() + 60 }, owner);
  membership = await Membership.open(directory, machineKey.id, { joinToken });
  policy = await LivePolicy.open({ file: path.join(directory, "policy.json"), log: SILENT });
  const openCalls = new OpenCalls();
  gate = {
    identifier: new Identifier(membership),
    policy,
    ask: async () => {
      asked += 1;
      await answer;
      return { check: async () => undefined };
    },
    audit: new MachineAudit({
      directory: path.join(directory, "audit"),
      machineKey,
      version: "0",
      redact: () => (text) => text,
      onTrouble: () => undefined,
      onRepair: () => undefined,
    }),
    openCalls,
    startedJobs: new StartedJobs(openCalls, () => undefined),
    largeAnswers: new LargeAnswers(),
  };
  stopWatching = watchStandings(membership, [openCalls]);
});
afterEach(async () => {
  stopWatching();
  await policy.close();
  gate.audit.close();
  rmSync(directory, { recursive: true });
});

async function headersOf(caller: KeyPair, scopes: Scope[]): Promise<Record<string, string>> {
  const grant = await signGrant(
    {
      key: caller.publicKey,
      name: "deploy",
      scopes,
      machines: [{ name: "*" }],
      iat: nowS(),
      not_after: nowS() + 60,
    },
    owner,
  );
  const token = await signCallToken({ relayId: RELAY_ID, machine: "web-1" }, caller, nowS());
  return { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.grant]: grant };
}

async function arrival(
  method = START,
  headers?: Record<string, string>,
): Promise<Arrival & { leave(): void }> {
  const given = headers ?? (await headersOf(key, ["terminal", "files:read"]));
  const { serialize, deserialize } = codec(Exec.method.start.input);
  const read = codec(Files.method.read.input);
  const leaving = new AbortController();
  return {
    path: method,
    request:
      method === READ
        ? read.deserialize(read.serialize({ path: "/etc/hosts" }))
        : deserialize(serialize({ jobId: randomUUID(), command: { case: "shell", value: "uptime" } })),
    signal: leaving.signal,
    header: (name) => given[name],
    inform: () => undefined,
    leave: () => leaving.abort(),
  };
}

function records(): MachineAuditRecord[] {
  return [...gate.audit.log.read(1)].flatMap((batch) =>
    batch.records.flatMap((body) => readAuditRecord(body, "machine") ?? []),
  );
}

const types = (): string[] => records().map(({ type }) => type);

describe("the gate", () => {
  it("promise 8: has begun the record before the handler can run, and ends it once", async () => {
    const { caller, onEnd } = await admitThrough("relay", gate)(await arrival());
    expect(caller.keyId).toBe(key.id);
    expect(types()).toEqual(["begin"]);
    onEnd?.("Ok");
    onEnd?.("Internal");
    expect(records().at(-1)).toMatchObject({ type: "end", code: "Ok" });
    expect(types()).toEqual(["begin", "end"]);
    expect(gate.openCalls.size).toBe(0);
  });

  it.each([
    ["a stranger", async () => ({}), { code: "Unauthenticated", key: null, keyName: "" }],
    [
      "a key that lacks the scope",
      () => headersOf(key, ["files:read"]),
      { code: "PermissionDenied", key: key.id, keyName: "deploy", what: "shell uptime" },
    ],
    [
      "a key that was revoked",
      async () => {
        const claims = { seq: 1, iat: nowS(), owners: [owner.publicKey], relays: [], revoked: [key.id] };
        await membership.welcomed({ roster: await signRoster(claims, owner), machineRecord: "" });
        return headersOf(key, ["terminal"]);
      },
      { code: "KeyRevoked", key: key.id, keyName: "deploy" },
    ],
  ])(
    "promise 8: records that it refused %s, and whose call it was where that is certain",
    async (_who, headers, expected) => {
      const refused = admitThrough("relay", gate)(await arrival(START, await headers()));
      await expect(refused).rejects.toMatchObject({ code: expected.code });
      expect(records()).toMatchObject([{ type: "refused", door: "relay", ...expected }]);
      expect(gate.openCalls.size).toBe(0);
    },
  );

  it("promise 8: refuses what it can't record", async () => {
    const append = vi.spyOn(gate.audit.log, "append").mockImplementation(() => {
      throw new CmdopError("AuditUnavailable", "No audit record can be written.");
    });
    const refused = admitThrough("relay", gate)(await arrival());
    await expect(refused).rejects.toMatchObject({ code: "AuditUnavailable" });
    expect(gate.openCalls.size).toBe(0);
    append.mockRestore();
    await admitThrough("local", gate)(await arrival(START, {}));
    expect(records()).toMatchObject([
      { type: "refused", code: "AuditUnavailable", key: key.id },
      { type: "begin", door: "local", key: "local" },
    ]);
  });

  it("promise 5: a call that runs, and one that still waits for its turn, end when their key is revoked", async () => {
    const admit = admitThrough("relay", gate);
    const running = await Promise.all(Array.from({ length: 16 }, async () => admit(await arrival(READ))));
    const waiting = admit(await arrival(READ));
    const refused = expect(waiting).rejects.toMatchObject({ code: "KeyRevoked" });
    await vi.waitFor(() => expect(gate.openCalls.size).toBe(17));
    const claims = { seq: 1, iat: nowS(), owners: [owner.publicKey], relays: [], revoked: [key.id] };
    await membership.welcomed({ roster: await signRoster(claims, owner), machineRecord: "" });
    await refused;
    for (const { revoked } of running) expect(revoked?.reason).toMatchObject({ code: "KeyRevoked" });
    expect(records().filter(({ type }) => type === "end")).toMatchObject([{ code: "KeyRevoked" }]);
  });

  it("a key that is revoked while a person thinks can't run what that person allows", async () => {
    const person = Promise.withResolvers<void>();
    answer = person.promise;
    await policy.close();
    const file = path.join(directory, "policy.json");
    writeFileSync(file, JSON.stringify({ ask: ["terminal"] }), { mode: 0o600 });
    policy = await LivePolicy.open({ file, log: SILENT });
    gate = { ...gate, policy };
    const waiting = expect(admitThrough("relay", gate)(await arrival())).rejects.toMatchObject({
      code: "KeyRevoked",
    });
    await vi.waitFor(() => expect(asked).toBe(1));
    expect(types()).toEqual([]);
    const claims = { seq: 1, iat: nowS(), owners: [owner.publicKey], relays: [], revoked: [key.id] };
    await membership.welcomed({ roster: await signRoster(claims, owner), machineRecord: "" });
    person.resolve();
    await waiting;
    expect(records()).toMatchObject([{ type: "refused", code: "KeyRevoked" }]);
  });

  it("a call whose caller leaves while it waits has a begin and an end all the same", async () => {
    const admit = admitThrough("relay", gate);
    for (let index = 0; index < 16; index += 1) await admit(await arrival(READ));
    const left = await arrival(READ);
    const waiting = expect(admit(left)).rejects.toMatchObject({ code: "Canceled" });
    await vi.waitFor(() => expect(gate.openCalls.size).toBe(17));
    left.leave();
    await waiting;
    expect(records().filter(({ type }) => type === "end")).toMatchObject([{ code: "Canceled" }]);
  });
});
