import type { AuditEntry, CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { waitUntil } from "./support/wait.ts";

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client(["terminal", "audit:read"]);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

async function entries(): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  for await (const entry of client.audit.query()) found.push(entry);
  return found;
}

const callOf = ({ record }: AuditEntry): string | undefined =>
  record !== null && "call" in record ? record.call : undefined;

const typeOf = ({ record, machineId }: AuditEntry): string =>
  `${machineId === null ? "relay" : "machine"} ${record?.type}`;

/** The records of the call that ran this command, the relay's and the machine's, once its end is in both. */
async function traceOf(command: string): Promise<string[]> {
  let trace: string[] = [];
  await waitUntil(async () => {
    const all = await entries();
    const began = all.find(
      ({ record }) => record?.type === "begin" && "what" in record && record.what?.includes(command),
    );
    trace = began === undefined ? [] : all.filter((entry) => callOf(entry) === callOf(began)).map(typeOf);
    return trace.length >= 4;
  });
  return trace.sort();
}

describe("promise 8: every call leaves a record, at the relay and on the machine", () => {
  it("both chains name the same call, and both verify", async () => {
    await client.machine("web-1").terminal.execute("echo traced-one");
    expect(await traceOf("traced-one")).toEqual(["machine begin", "machine end", "relay begin", "relay end"]);
    const report = await client.audit.verify();
    expect(report.chains.map(({ machineId, problems }) => [machineId, problems])).toEqual([
      [null, []],
      [machine.id, []],
    ]);
    expect(report.ok).toBe(true);
  });

  it("after kill -9 of the relay, what was open is unknown, and the machine's chain goes on without a gap", async () => {
    const before = await client.audit.verify();
    const running = client.machine("web-1").terminal.execute("echo traced-two; sleep 1; echo over");
    await waitUntil(async () => JSON.stringify(await entries()).includes("traced-two"));
    cluster.relay.signal("SIGKILL");
    await cluster.restartRelay();
    expect((await running).stdout).toBe("traced-two\nover\n");
    const relayCalls = (await entries()).filter(({ machineId }) => machineId === null);
    const ended = new Set(
      relayCalls.flatMap((entry) => (entry.record?.type === "end" ? [callOf(entry)] : [])),
    );
    const startedAgain = relayCalls.findLastIndex(({ record }) => record?.type === "started");
    const open = relayCalls
      .slice(0, startedAgain)
      .filter((entry) => entry.record?.type === "begin" && !ended.has(callOf(entry)));
    expect(open.length).toBeGreaterThan(0);
    await client.machine("web-1").terminal.execute("echo traced-three");
    expect(await traceOf("traced-three")).toHaveLength(4);
    const report = await client.audit.verify({ heads: before.heads });
    expect(report.chains.flatMap(({ problems }) => problems)).toEqual([]);
    expect(report.ok).toBe(true);
  });

  it("after kill -9 of the agent, its chain goes on where the copy stopped", async () => {
    const before = await client.audit.verify();
    machine.process.signal("SIGKILL");
    await cluster.restartAgent(machine);
    await client.machine("web-1").terminal.execute("echo traced-four");
    expect(await traceOf("traced-four")).toHaveLength(4);
    const report = await client.audit.verify({ heads: before.heads });
    expect(report.chains.flatMap(({ problems }) => problems)).toEqual([]);
    expect(report.chains).toHaveLength(2);
  });
});
