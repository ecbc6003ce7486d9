import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type AnyAuditRecord, codec, Exec, HEADERS } from "@cmdop/proto";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { machineChain } from "./support/machine-chain.ts";
import { ClusterOwner, type GrantedKey } from "./support/owner.ts";
import { closed, RawCaller } from "./support/raw-call.ts";
import { START } from "./support/start-message.ts";
import { waitUntil } from "./support/wait.ts";

/** Calls in all; 10,000 nightly. */
const CALLS = Number(process.env.CMDOP_TEST_CALLS ?? 500);

/** Calls that one key has open at once: as many jobs of one key run at once on a machine. */
const CALLS_PER_KEY = 500;

/** Calls of a wave that have been answered when a process is killed: in the middle of things. */
const ANSWERED_BEFORE_KILL = CALLS / 20;

/** One call in so many does not end by itself, so that some are open whenever the kill comes. */
const LASTING_EVERY = 8;

/** A call is one small process on the machine, and two cores do all the work. */
const MS_PER_CALL = 100;

let cluster: Cluster;
let machine: ClusterMachine;
let owner: ClusterOwner;
let auditor: CMDOPClient;
/** Every command that runs appends its job's id here. */
let ranFile: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  owner = await ClusterOwner.of(cluster);
  auditor = await cluster.client(["audit:read", "machines:read"]);
  ranFile = path.join(cluster.directory, "ran");
});
afterAll(async () => {
  await auditor.close();
  await owner[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const ran = async (): Promise<string[]> =>
  (await readFile(ranFile, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

/** What everything together may take on a loaded machine, in milliseconds. */
const LIMIT_MS = 120_000 + CALLS * MS_PER_CALL;

/** A call that is made once and never repeated, and what came of it. */
interface Sent {
  readonly jobId: string;
  readonly ended: Promise<string>;
}

/** So many calls at once, all in flight together. */
async function wave(count: number, keys: readonly GrantedKey[]): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const key of keys) {
    const caller = await RawCaller.connect(cluster.relayAddress);
    const headers = { ...(await owner.headers(key, "web-1")), [HEADERS.machine]: "web-1" };
    for (let index = 0; index < Math.min(CALLS_PER_KEY, count); index += 1) {
      if (sent.length === count) break;
      const jobId = randomUUID();
      const stream = caller.open(START, headers, messageOf(jobId, index % LASTING_EVERY === 0));
      const trailers: Record<string, unknown> = {};
      const note = (received: object): unknown => Object.assign(trailers, received);
      stream
        .on("response", note)
        .on("trailers", note)
        .on("error", () => undefined)
        .resume();
      const ended = closed(stream).then(() => String(trailers["x-cmdop-error"] ?? trailers["grpc-status"]));
      sent.push({ jobId, ended });
    }
    void Promise.all(sent.map(({ ended }) => ended)).then(() => caller[Symbol.asyncDispose]());
  }
  return sent;
}

/** Waits until so many calls have been answered; each of them has run by then. */
async function answered(sent: readonly Sent[]): Promise<void> {
  let count = 0;
  for (const { ended } of sent) {
    void ended.then((answer) => {
      if (answer === "0") count += 1;
    });
  }
  await waitUntil(() => count >= ANSWERED_BEFORE_KILL, LIMIT_MS);
}

/** A command that says that it ran; `lasting`: and then goes on until somebody ends it. */
function messageOf(jobId: string, lasting: boolean): Uint8Array {
  const line = `echo "$0" >> "$1"${lasting ? "; exec sleep 600" : ""}`;
  const args = ["/bin/sh", "-c", line, jobId, ranFile];
  return codec(Exec.method.start.input).serialize({ jobId, command: { case: "argv", value: { args } } });
}

/** Begins and ends by call; fails where one call has two of either, or an end without its begin. */
function callsOf(records: readonly AnyAuditRecord[]): Map<string, { job: string | undefined; end?: string }> {
  const calls = new Map<string, { job: string | undefined; end?: string }>();
  for (const record of records) {
    if (record.type === "begin" && record.method === START) {
      expect(calls.has(record.call), `two begins of ${record.call}`).toBe(false);
      calls.set(record.call, { job: "job" in record ? record.job : undefined });
    }
    const begun = record.type === "end" ? calls.get(record.call) : undefined;
    if (record.type === "end" && begun !== undefined) {
      expect(begun.end, `two ends of ${record.call}`).toBeUndefined();
      begun.end = record.code;
    }
  }
  return calls;
}

async function relayRecords(): Promise<AnyAuditRecord[]> {
  const records: AnyAuditRecord[] = [];
  for await (const { machineId, record } of auditor.audit.query()) {
    if (machineId === null && record !== null) records.push(record);
  }
  return records;
}

it(`promise 8: ${CALLS} calls at once across kill -9 of relay and agent: one begin each, at most one end, both chains verify`, {
  timeout: 2 * LIMIT_MS,
}, async () => {
  const half = Math.ceil(CALLS / 2);
  const keys: GrantedKey[] = [];
  for (let left = half; left > 0; left -= CALLS_PER_KEY)
    keys.push(await owner.grant({ scopes: ["terminal"] }));

  const first = await wave(half, keys);
  await answered(first);
  await cluster.relay.stop("SIGKILL");
  const lost = await Promise.all(first.map(({ ended }) => ended));
  await cluster.restartRelay();
  const online = () => auditor.machines.list().then((all) => all.some((each) => each.online));
  await waitUntil(() => online().catch(() => false), LIMIT_MS);
  await owner[Symbol.asyncDispose]();
  owner = await ClusterOwner.of(cluster);

  const second = await wave(CALLS - half, keys);
  await answered(second);
  await machine.process.stop("SIGKILL");
  const cut = await Promise.all(second.map(({ ended }) => ended));
  await cluster.restartAgent(machine);

  // The kills were in the middle: on both sides some calls had ended, and some had not.
  for (const answers of [lost, cut]) {
    expect(answers).toContain("0");
    expect(answers.filter((answer) => answer !== "0").length).toBeGreaterThan(0);
  }
  let report = await auditor.audit.verify();
  await waitUntil(async () => {
    report = await auditor.audit.verify();
    const [copy] = report.chains.filter(({ machineId }) => machineId === machine.id);
    return copy?.last === (await machineChain(machine.home)).seq;
  }, LIMIT_MS);
  expect(report.chains.map(({ machineId, problems }) => [machineId, problems])).toEqual([
    [null, []],
    [machine.id, []],
  ]);

  const onMachine = callsOf((await machineChain(machine.home)).records);
  const atRelay = callsOf(await relayRecords());
  const callOfJob = new Map<string, string>();
  for (const [call, { job }] of onMachine) {
    if (job === undefined) throw new Error(`the begin of ${call} names no job`);
    expect(callOfJob.has(job), `two calls began job ${job}, which was asked for once`).toBe(false);
    callOfJob.set(job, call);
    expect(atRelay.has(call), `the machine began ${call}, of which the relay knows nothing`).toBe(true);
  }
  const lines = await ran();
  expect(new Set(lines).size, "a job ran twice").toBe(lines.length);
  for (const job of lines) expect(callOfJob.has(job), `${job} ran without a begin`).toBe(true);
  expect(atRelay.size).toBeLessThanOrEqual(CALLS);
  const answers = [...lost, ...cut];
  for (const [index, { jobId }] of [...first, ...second].entries()) {
    if (answers[index] !== "0") continue;
    const call = callOfJob.get(jobId) ?? "none";
    expect(lines).toContain(jobId);
    expect(onMachine.has(call) && atRelay.has(call), `${jobId} was answered without its begins`).toBe(true);
  }
});
