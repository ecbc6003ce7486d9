import { readdirSync, readFileSync } from "node:fs";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { waitUntil } from "../support/wait.ts";

/** The agent as the first process of its own system. */
const IN_CONTAINER = 'exec unshare --pid --fork --mount-proc --kill-child "$@"';

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  await machine.process.stop();
  await cluster.restartAgent(machine, {}, { shellLine: IN_CONTAINER });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const execute = async (line: string) => (await client.terminal.execute(line, { cwd: "/" })).stdout;

it("as PID 1 the agent leaves no zombies of what its jobs started and left", async () => {
  expect(await execute("tr '\\0' ' ' </proc/1/cmdline")).toMatch(/^\/bin\/sh -c .*cmdop-init/s);
  for (let round = 0; round < 5; round += 1) await execute("(sleep 0.05 &); (setsid sleep 0.05 &)");
  await waitUntil(async () => (await execute("pgrep -x sleep; true")) === "");
  expect(await execute("ps -eo stat=,comm= | grep ^Z; true")).toBe("");
});

it("docker stop ends it well: the signal reaches the agent, which ends its jobs, and its exit code is the container's", async () => {
  const running = client.terminal.execute("sleep 61.8", { cwd: "/" });
  await waitUntil(async () => (await execute("pgrep -fx 'sleep 61.8'; true")) !== "");
  const init = childOf(machine.process.pid);
  expect(readFileSync(`/proc/${init}/cmdline`, "latin1")).toContain("cmdop-init");
  process.kill(init, "SIGTERM");
  await expect(running).resolves.toMatchObject({ outcome: "canceled" });
  await waitUntil(() => machine.process.child.exitCode !== null);
  expect(machine.process.child.exitCode).toBe(0);
});

/** The only child of a process. */
function childOf(parent: number): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const stat = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/stat`, "latin1");
    } catch {
      return "";
    }
  };
  return Number(pids.find((pid) => stat(pid).split(") ")[1]?.split(" ")[1] === String(parent)));
}
