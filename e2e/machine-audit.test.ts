import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  codec,
  Exec,
  keyPairOf,
  localSocketPath,
  Machine,
  type MachineAuditRecord,
  verifyHead,
} from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { machineChain } from "./support/machine-chain.ts";
import { ClusterOwner, type GrantedKey } from "./support/owner.ts";
import { closed, RawCaller } from "./support/raw-call.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

const START = "/cmdop.v1.Exec/Start";

/** What a revocation may take until everything has ended, in milliseconds. */
const REVOKED_WITHIN_MS = 2_000;

let cluster: Cluster;
let machine: ClusterMachine;
let owner: ClusterOwner;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  owner = await ClusterOwner.of(cluster);
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const clientOf = ({ apiKey }: GrantedKey): CMDOPClient => CMDOPClient.remote({ apiKey, machine: "web-1" });

const startMessage = (jobId: string, line: string): Uint8Array =>
  codec(Exec.method.start.input).serialize({ jobId, command: { case: "shell", value: line } });

/** The records that speak of this job, once its end is among them. */
async function recordsOf(jobId: string): Promise<MachineAuditRecord[]> {
  let records: readonly MachineAuditRecord[] = [];
  const about = (record: MachineAuditRecord): boolean => "job" in record && record.job === jobId;
  await waitUntil(async () => {
    ({ records } = await machineChain(machine.home));
    return records.some((record) => record.type === "job" && about(record));
  });
  const calls = new Set(
    records.flatMap((record) => (record.type === "begin" && about(record) ? [record.call] : [])),
  );
  return records.filter((record) => about(record) || (record.type === "end" && calls.has(record.call)));
}

/** A command that this key starts and leaves, its process id, and how a stream that follows it on the local socket ends. */
async function running(key: GrantedKey): Promise<{ jobId: string; pid: number; streamEnd: Promise<string> }> {
  const jobId = randomUUID();
  const file = path.join(cluster.directory, jobId);
  const line = `echo $$ > ${file}; exec sleep 600`;
  const caller = await RawCaller.local(localSocketPath(path.join(machine.home, "agent")));
  const stream = caller.open(START, await owner.headers(key, "web-1"), startMessage(jobId, line));
  stream.on("error", () => undefined);
  stream.resume();
  const streamEnd = once(stream, "trailers").then(async ([trailers]) => {
    await closed(stream);
    await caller[Symbol.asyncDispose]();
    return String(trailers["x-cmdop-error"]);
  });
  const written = async (): Promise<string> =>
    (await stat(file).catch(() => undefined)) ? readFile(file, "utf8") : "";
  await waitUntil(async () => (await written()).endsWith("\n"));
  return { jobId, pid: Number(await written()), streamEnd };
}

describe("promise 8: what was done on a machine is in its own chain", () => {
  it("a command: a begin that says what, an end, and the job's outcome", async () => {
    const key = await owner.grant({ name: "deploy" });
    await using client = clientOf(key);
    const { jobId } = await client.terminal.execute("exit 3", { cwd: "/tmp", env: { COLOR: "red" } });
    const records = await recordsOf(jobId);
    const [begin] = records;
    expect(begin).toMatchObject({
      type: "begin",
      door: "relay",
      key: key.key.id,
      keyName: "deploy",
      method: START,
      what: "shell 'exit 3', cwd /tmp, env COLOR",
    });
    expect(records.filter(({ type }) => type === "job")).toMatchObject([{ outcome: "exited", exitCode: 3 }]);
    await waitUntil(async () => (await recordsOf(jobId)).some(({ type }) => type === "end"));
    expect((await recordsOf(jobId)).filter(({ type }) => type === "end")).toMatchObject([{ code: "Ok" }]);
  });

  it("a session: who created it, and how it ended, long after the call", async () => {
    await using client = CMDOPClient.local({ home: machine.home });
    const session = await client.terminal.create({ shell: ["/bin/sh"] });
    await session.sendInput("exit 7\n");
    await session.wait();
    const records = await recordsOf(session.sessionId);
    expect(records[0]).toMatchObject({ door: "local", key: "local", what: "session of /bin/sh" });
    expect(records.find(({ type }) => type === "job")).toMatchObject({
      outcome: "exited",
      exitCode: 7,
      key: "local",
    });
  });

  it("a call that was denied, with what it wanted", async () => {
    const key = await owner.grant({ name: "reader", scopes: ["files:read"] });
    await using caller = await RawCaller.local(localSocketPath(path.join(machine.home, "agent")));
    const headers = await owner.headers(key, "web-1");
    const trailers = await caller.call(START, headers, startMessage(randomUUID(), "rm -rf /srv"));
    expect(trailers).toMatchObject({ "x-cmdop-error": "PermissionDenied" });
    const { records } = await machineChain(machine.home);
    expect(records.at(-1)).toMatchObject({
      type: "refused",
      key: key.key.id,
      keyName: "reader",
      code: "PermissionDenied",
      what: "shell 'rm -rf /srv'",
      count: 1,
    });
    expect(records.filter((record) => record.type === "begin" && record.key === key.key.id)).toEqual([]);
  });

  it("never a value of a variable, input, content or a credential", async () => {
    const secret = (): string => randomBytes(12).toString("hex");
    const [value, stdin, content, keys] = [secret(), secret(), secret(), secret()];
    const key = await owner.grant({ scopes: ["terminal", "files:read", "files:write"] });
    await using client = clientOf(key);
    await client.terminal.execute("cat; echo $TOKEN", { env: { TOKEN: value }, stdin });
    const file = path.join(cluster.directory, "content");
    await client.files.write(file, content);
    await client.files.read(file);
    const session = await client.terminal.create({ shell: ["/bin/sh"], env: { TOKEN: value } });
    await session.sendInput(`: ${keys}\n`);
    await session.close();
    await recordsOf(session.sessionId);
    const directory = path.join(machine.home, "agent", "audit");
    let text = "";
    for (const name of await readdir(directory)) {
      if (name.endsWith(".chain")) text += await readFile(path.join(directory, name), "utf8");
    }
    expect(text).toContain("TOKEN");
    const { authorization = "", "x-cmdop-grant": grant = "" } = await owner.headers(key, "web-1");
    const never = [value, stdin, content, keys, key.apiKey, authorization, grant, "Bearer", "cmd_", "eyJ"];
    expect(never.filter((word) => word === "" || text.includes(word))).toEqual([]);
  });

  it("a machine signs where its chain ends, with the asker's challenge", async () => {
    const nonce = randomBytes(32);
    await using caller = await RawCaller.local(localSocketPath(path.join(machine.home, "agent")));
    const { serialize } = codec(Machine.method.auditHead.input);
    const { message: body = Buffer.alloc(0) } = await caller.ask(
      "/cmdop.v1.Machine/AuditHead",
      {},
      serialize({ nonce }),
    );
    const { head } = codec(Machine.method.auditHead.output).deserialize(body);
    const seed = await readFile(path.join(machine.home, "agent", "machine.key"), "utf8");
    const { publicKey } = keyPairOf(Buffer.from(seed.trim(), "base64url"));
    const said = await verifyHead(head, publicKey);
    const chain = await machineChain(machine.home);
    expect(said).toMatchObject({
      machine: machine.id,
      chain: chain.chain,
      nonce: nonce.toString("base64url"),
    });
    expect(chain.seq - said.seq).toBeLessThanOrEqual(1);
    const short = await caller.call(
      "/cmdop.v1.Machine/AuditHead",
      {},
      serialize({ nonce: nonce.subarray(1) }),
    );
    expect(short).toMatchObject({ "x-cmdop-error": "InvalidArgument" });
  });
});

describe("promise 5: a right that has ended, on the machine itself", () => {
  it("a revoked key's stream and job end within two seconds, also when its starter has gone", async () => {
    const key = await owner.grant();
    const { jobId, pid, streamEnd } = await running(key);
    await using client = clientOf(key);
    const left = await client.terminal.create({ shell: ["/bin/sleep", "600"] });
    const startedAtMs = performance.now();
    await owner.revoke(key.key);
    expect(await streamEnd).toBe("KeyRevoked");
    await waitUntil(() => !isAlive(pid));
    expect(performance.now() - startedAtMs).toBeLessThan(REVOKED_WITHIN_MS);
    for (const id of [jobId, left.sessionId]) {
      expect((await recordsOf(id)).find(({ type }) => type === "job")).toMatchObject({
        outcome: "canceled",
        reason: expect.stringContaining("The owner has revoked this key"),
      });
    }
    const ends = (await recordsOf(jobId)).filter(({ type }) => type === "end");
    expect(ends).toMatchObject([{ code: "KeyRevoked" }]);
  });

  it("a job whose grant lets it live on does, and only the stream ends", async () => {
    const key = await owner.grant({ jobs: "live" });
    const { pid, streamEnd } = await running(key);
    await owner.revoke(key.key);
    expect(await streamEnd).toBe("KeyRevoked");
    await sleep(REVOKED_WITHIN_MS);
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  it("a grant ends by itself, and with it what runs", async () => {
    const key = await owner.grant({ not_after: Math.floor(Date.now() / 1000) + 10 });
    const { jobId, pid, streamEnd } = await running(key);
    expect(await streamEnd).toBe("GrantExpired");
    await waitUntil(() => !isAlive(pid));
    expect((await recordsOf(jobId)).find(({ type }) => type === "job")).toMatchObject({
      reason: expect.stringContaining("ended at"),
    });
  });
});

describe("promise 8: an agent that ends", () => {
  it("by itself, has written the end of everything that it began", async () => {
    const key = await owner.grant();
    const { jobId } = await running(key);
    await using client = clientOf(key);
    const viewer = client.terminal.resumeStream(jobId);
    await viewer.next();
    await machine.process.stop();
    const { records } = await machineChain(machine.home);
    const ended = new Set(records.flatMap((record) => (record.type === "end" ? [record.call] : [])));
    const open = records.filter((record) => record.type === "begin" && !ended.has(record.call));
    expect(open).toEqual([]);
    expect(records.find((record) => record.type === "job" && record.job === jobId)).toMatchObject({
      outcome: "canceled",
      reason: expect.stringContaining("shut down"),
    });
    await cluster.restartAgent(machine);
    await viewer.return();
  });

  it("by a kill, leaves a chain that verifies, with a begin without an end, and goes on with it", async () => {
    const key = await owner.grant();
    const { jobId, streamEnd } = await running(key);
    streamEnd.catch(() => "lost with the agent");
    await machine.process.stop("SIGKILL");
    const before = await machineChain(machine.home);
    const begin = before.records.find((record) => record.type === "begin" && record.job === jobId);
    if (begin?.type !== "begin") throw new Error("no begin");
    const isEnd = (record: MachineAuditRecord): boolean =>
      record.type === "end" && record.call === begin.call;
    expect(before.records.some(isEnd)).toBe(false);

    await cluster.restartAgent(machine);
    expect((await recordsOf(jobId)).find(({ type }) => type === "job")).toMatchObject({ outcome: "unknown" });
    const after = await machineChain(machine.home);
    expect(after.chain).toBe(before.chain);
    expect(after.records.slice(0, before.records.length)).toEqual(before.records);
    expect(after.records[before.records.length]).toMatchObject({ type: "started" });
    expect(after.records.some(isEnd)).toBe(false);
  });
});
