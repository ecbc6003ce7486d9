import { cp } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { CmdopProcess, runCmdop } from "./support/cmdop-process.ts";
import { waitUntil } from "./support/wait.ts";

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const operator = (...args: readonly string[]) => runCmdop(args, cluster.operatorEnv);

async function isQuarantined(): Promise<boolean> {
  const [status] = await client.machines.list();
  return status?.quarantinedSinceMs !== null;
}

describe("a machine whose state was copied", () => {
  it("is quarantined beside its copy, its operator is told, and released by its owner it is back as it was", {
    timeout: 60_000,
  }, async () => {
    // As a copied disk: what the agent holds open is no part of it.
    await machine.process.stop();
    const copy = path.join(cluster.directory, "copy");
    await cp(machine.home, copy, { recursive: true });
    await cluster.restartAgent(machine);
    expect(await client.terminal.execute("echo before")).toMatchObject({ stdout: "before\n" });

    // Whether the copy comes up first, or is refused at once, is up to the two.
    const started = CmdopProcess.start(["agent", "--json"], { CMDOP_HOME: copy }).catch(() => undefined);
    await waitUntil(isQuarantined);
    await expect(client.terminal.execute("echo during")).rejects.toMatchObject({
      code: "MachineQuarantined",
      message: expect.stringContaining("two agents have used its key"),
      next: expect.stringContaining("cmdop machines release"),
    });
    const listed = await operator("machines");
    expect(listed.stdout).toMatch(/^web-1 {2}QUARANTINED since /m);
    expect(listed.stderr).toContain("cmdop machines remove NAME");
    expect((await operator("audit")).stdout).toMatch(
      /web-1 +quarantine +begun +two agents have used its key/,
    );

    // A restart of relay or agent brings neither in.
    await cluster.relay.stop();
    await cluster.restartRelay();
    await expect(client.terminal.execute("echo after")).rejects.toMatchObject({ code: "MachineQuarantined" });

    await (await started)?.process.stop();
    expect(await operator("machines", "release", "web-1")).toMatchObject({
      exitCode: 0,
      stdout: "web-1 is released\n",
    });
    await waitUntil(async () => (await client.machines.list())[0]?.online === true);
    expect(await client.terminal.execute("echo again")).toMatchObject({ stdout: "again\n" });
    expect(await isQuarantined()).toBe(false);
  });
});
