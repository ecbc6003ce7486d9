import { writeFile } from "node:fs/promises";
import path from "node:path";
import { agentStateDir } from "@cmdop/proto";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { waitUntil } from "./support/wait.ts";

/** No limit that a system comes with. */
const OPEN_FILES = 777;

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  const secret = path.join(cluster.directory, "secret");
  await writeFile(secret, "root's own", { mode: 0o600 });
  await machine.process.stop();
  const shellLine = `exec 200<${secret}; ulimit -Sn ${OPEN_FILES}`;
  await cluster.restartAgent(machine, {}, { shellLine });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

async function setPolicy(policy: object): Promise<void> {
  await writeFile(path.join(agentStateDir(machine.home), "policy.json"), JSON.stringify(policy), {
    mode: 0o600,
  });
}

/** The shell's own descriptors, what can be read from one of the agent's, and the limit. */
const LOOK = "ls -m /proc/$$/fd; cat /dev/fd/200; echo; ulimit -Sn";

describe.each([
  ["the agent's own user", {}],
  ["another user", { user: "nobody" }],
])("a job of %s", (_, policy) => {
  beforeAll(async () => {
    await setPolicy(policy);
    const name = "user" in policy ? policy.user : "root";
    await waitUntil(
      async () => (await client.terminal.execute("id -un", { cwd: "/" })).stdout.trim() === name,
    );
  });

  it("has three descriptors, none of the agent's, and the limit on open files that the agent was started with", async () => {
    const { stdout } = await client.terminal.execute(LOOK, { cwd: "/" });
    expect(stdout).toBe(`0, 1, 2\n\n${OPEN_FILES}\n`);
  });

  it("so has a session", async () => {
    const session = await client.terminal.create({ shell: "/bin/sh", cwd: "/" });
    await session.sendInput(`${LOOK}; echo do''ne\n`);
    await session.waitFor(/done\s/);
    const text = await session.getHistory();
    await session.close();
    // A shell on a terminal keeps one more of its own.
    expect(text).toMatch(/0, 1, (10, )?2\s/);
    expect(text).toMatch(new RegExp(`^${OPEN_FILES}\\s*$`, "m"));
    expect(text).not.toContain("root's own");
  });
});
