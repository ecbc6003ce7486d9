import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { runCmdop } from "../support/cmdop-process.ts";
import { waitUntil } from "../support/wait.ts";
import { withClock } from "../support/with-clock.ts";

const DAY_MS = 86_400_000;

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
/** By how much the agent's and the relay's clocks are off now. */
let shift: { file: string };
const set = (ms: number): Promise<void> => writeFile(shift.file, String(ms));

beforeAll(async () => {
  cluster = await Cluster.start();
  shift = { file: path.join(cluster.directory, "shift") };
  await set(0);
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  await machine.process.stop();
  await cluster.relay.stop();
  await withClock(shift, async () => {
    await cluster.restartRelay();
    await cluster.restartAgent(machine);
  });
});
afterAll(async () => {
  await client?.[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

it("the clocks of relay and machine are set 100 days ahead and right again: what runs goes on, and both say what they saw", async () => {
  const gate = path.join(cluster.directory, "gate");
  await client.terminal.execute(["mkfifo", gate]);
  const running = client.terminal.execute(`read -r line < ${gate}; exit 7`);
  await waitUntil(async () => (await client.terminal.jobs({ running: true })).length === 1);
  await set(100 * DAY_MS);
  const parts = [machine.process, cluster.relay];
  await waitUntil(() => parts.every(({ stderr }) => stderr.includes("jumped")));
  await set(0);
  await waitUntil(() => parts.every(({ stderr }) => stderr.includes("returned")));
  await client.terminal.execute(`echo > ${gate}`);
  expect(await running).toMatchObject({ outcome: "exited", exitCode: 7 });
  const { stdout } = await runCmdop(["audit", "--json"], cluster.operatorEnv);
  const states = stdout.split("\n").flatMap((line) => /"clock".*"(jumped|returned)"/.exec(line)?.[1] ?? []);
  expect(states.sort()).toEqual(["jumped", "jumped", "returned", "returned"]);
});

it("an agent that starts with its clock two days ahead still knows how yesterday's commands ended, and their output", async () => {
  const jobId = randomUUID();
  await client.terminal.execute("echo kept; exit 3", { jobId });
  await machine.process.stop();
  await withClock(2 * DAY_MS, () => cluster.restartAgent(machine));
  // Calls are refused for as long as the clock is wrong; what is too old would be forgotten within a second.
  await sleep(1_500);
  await machine.process.stop();
  await cluster.restartAgent(machine);
  const result = await client.terminal.resume(jobId);
  expect(result).toMatchObject({ outcome: "exited", exitCode: 3, stdout: "kept\n" });
});
