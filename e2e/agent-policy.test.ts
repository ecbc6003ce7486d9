import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { agentStateDir } from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import { runCmdop } from "./support/cmdop-process.ts";
import { machineChain } from "./support/machine-chain.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const EXEC = "/cmdop.v1.Exec/Start";
const execute = (command: string) => ({ name: "execute", arguments: { command } });

const policyFile = (): string => path.join(agentStateDir(world().machine.home), "policy.json");
const records = async () => (await machineChain(world().machine.home)).records;

/** Puts a policy into force while the agent runs; none takes it away. */
async function policy(says: object | undefined): Promise<void> {
  const before = (await records()).filter(({ type }) => type === "policy").length;
  if (says === undefined) {
    await rm(policyFile());
  } else {
    await writeFile(`${policyFile()}.new`, JSON.stringify(says), { mode: 0o600 });
    await rename(`${policyFile()}.new`, policyFile());
  }
  await waitUntil(async () => (await records()).filter(({ type }) => type === "policy").length > before);
}

/** A person who answers. */
async function person(): Promise<CMDOPClient> {
  const key = { name: randomUUID(), scopes: ["approve"], machines: ["web-1"] };
  const { apiKey } = await world().cluster.createKey(key);
  const client = CMDOPClient.remote({ apiKey });
  onTestFinished(() => client.close());
  return client;
}

afterEach(async () => {
  const there = await readFile(policyFile(), "utf8").catch(() => undefined);
  if (there !== undefined) await policy(undefined);
});

describe("promise 5: the machine's policy binds the tools of a run", () => {
  it("what it withholds while a run goes on is refused, with the reason", async () => {
    const { client, model } = world();
    model.script(
      { tools: [execute("echo 1")] },
      async () => {
        await policy({ scopes: ["agent", "files:read"] });
        return { tools: [execute("echo 2")] };
      },
      { text: "I was stopped." },
    );
    const { toolCalls } = await client.agent.run("Go on.");
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, false]);
    expect(toolCalls[1]?.output).toMatch(/^PolicyDenied: .*withholds it \(scopes\)/);
    // A new run is not even offered what it can't use.
    model.script({ text: "Nothing." });
    await client.agent.run("Again.");
    expect(model.calls[0]?.body.tools.map((tool) => tool.function.name).sort()).toEqual([
      "list_files",
      "read_file",
      "search_files",
    ]);
  });

  it("what it lets a person decide waits for one who is not the run's own key", async () => {
    const { client, model, cluster } = world();
    const asked = await person();
    await policy({ ask: [EXEC] });
    const file = path.join(cluster.directory, "approved");
    model.script(
      { tools: [execute(`echo yes > ${file}`)] },
      { tools: [execute(`echo no > ${file}`)] },
      { text: "Half of it." },
    );
    const waits: string[] = [];
    const run = client.agent.run("Do both.", {
      onEvent: (event) => {
        if (event.type === "approval") waits.push(event.approvalId);
      },
    });
    const answeredIds: string[] = [];
    const answered = async (approve: boolean): Promise<string> => {
      await waitUntil(async () => (await asked.approvals.list()).length === 1);
      const [waiting] = await asked.approvals.list();
      if (waiting === undefined) throw new Error("nothing waits");
      if (approve) await asked.approvals.approve(waiting);
      else await asked.approvals.refuse(waiting.approvalId, "not today");
      answeredIds.push(waiting.approvalId);
      return waiting.what;
    };
    expect(await answered(true)).toContain(`echo yes > ${file}`);
    expect(await answered(false)).toContain("echo no");
    const { toolCalls } = await run;
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, false]);
    expect(waits).toEqual(answeredIds);
    expect(toolCalls[1]?.output).toMatch(/^ApprovalRefused: .*not today/);
    expect(await readFile(file, "utf8")).toBe("yes\n");
  });

  it("a run that is canceled while its tool waits takes the question back", async () => {
    const { client, model } = world();
    const asked = await person();
    await policy({ ask: [EXEC] });
    const runId = randomUUID();
    model.script({ tools: [execute("echo never")] });
    const run = client.agent.run("Wait.", { runId }).catch((thrown: unknown) => thrown);
    await waitUntil(async () => (await asked.approvals.list()).length === 1);
    expect(await client.agent.cancel(runId)).toMatchObject({ outcome: "canceled" });
    expect(await run).toMatchObject({ code: "Canceled" });
    await waitUntil(async () => (await asked.approvals.list()).length === 0);
  });

  it("limits.maxJobMs binds runs as it binds commands", async () => {
    const { client, model } = world();
    await policy({ limits: { maxJobMs: 1_000 } });
    model.script({ silentAfter: "" });
    const run = client.agent.run("Think.", { timeoutMs: 60_000 });
    await expect(run).rejects.toMatchObject({
      outcome: "timed_out",
      message: expect.stringContaining("limits.maxJobMs"),
    });
  });
});

describe("promise 8: a run and each use of a tool leave their records", () => {
  it("those that were refused too", async () => {
    const { client, model } = world();
    await policy({ roots: ["/nowhere"], scopes: ["agent", "files:read"] });
    model.script(
      { tools: [{ name: "read_file", arguments: { path: "/etc/hostname" } }] },
      { text: "Refused." },
    );
    const { runId } = await client.agent.run("Read it.");
    await policy(undefined);
    model.script({ tools: [execute("echo recorded")] }, { text: "Ran." });
    const { toolCalls } = await client.agent.run("Run it.");

    const job = toolCalls[0]?.jobId;
    await waitUntil(async () =>
      (await records()).some((record) => record.type === "job" && record.job === job),
    );
    const all = await records();
    expect(all).toContainEqual(
      expect.objectContaining({
        type: "begin",
        method: "/cmdop.v1.Agent/Run",
        job: runId,
        what: "agent terminal, prompt 'Read it.'",
      }),
    );
    expect(all).toContainEqual(
      expect.objectContaining({ type: "refused", method: "/cmdop.v1.Files/Read", code: "PolicyDenied" }),
    );
    const begun = all.find((record) => record.type === "begin" && record.job === job);
    expect(begun).toMatchObject({ method: EXEC, keyName: "test", door: "relay" });
    if (begun?.type !== "begin") throw new Error("no record");
    expect(begun.what).toContain("echo recorded");
    expect(all).toContainEqual(expect.objectContaining({ type: "end", call: begun.call, code: "Ok" }));
    expect(all).toContainEqual(expect.objectContaining({ type: "job", job: runId, outcome: "completed" }));
  });
});

describe("a key that is revoked", () => {
  it("takes its runs, and what they started, with it", async () => {
    const { cluster, model, machine } = world();
    const { apiKey, keyId } = await cluster.createKey({ scopes: ["agent", "terminal"], machines: ["*"] });
    await using client = CMDOPClient.remote({ apiKey });
    model.script({ tools: [execute("sleep 600")] });
    const run = client.agent.run("Sleep.").catch((thrown: unknown) => thrown);
    await waitUntil(async () =>
      (await records()).some(
        (record) => record.type === "begin" && record.method === EXEC && record.key === keyId,
      ),
    );
    const revoked = await runCmdop(["keys", "revoke", keyId], cluster.operatorEnv);
    expect(revoked).toMatchObject({ exitCode: 0 });
    await run;
    const ended = async () =>
      (await records()).filter((record) => record.type === "job" && record.key === keyId);
    await waitUntil(async () => (await ended()).length === 2);
    expect(await ended()).toMatchObject([{ outcome: "canceled" }, { outcome: "canceled" }]);
    expect(machine.process.child.exitCode).toBeNull();
  });
});
