import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { agentStateDir } from "@cmdop/proto";
import { CMDOPClient, type RunApprove, type RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import { machineChain } from "./support/machine-chain.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

type Asked = Extract<RunStreamEvent, { type: "asked" }>;

const execute = (command: string) => ({ name: "execute", arguments: { command } });
const write = (file: string) => ({ name: "write_file", arguments: { path: file, content: "new" } });
const read = (file: string) => ({ name: "read_file", arguments: { path: file } });
const fresh = (): string => path.join(world().cluster.directory, randomUUID());

/** A run whose every question is answered so. */
async function answering(approve: RunApprove, answer: (asked: Asked) => "yes" | "no", reason = "") {
  const { client } = world();
  const runId = randomUUID();
  const asked: string[] = [];
  const answers: Promise<void>[] = [];
  const result = await client.agent.run("Work.", {
    runId,
    approve,
    onEvent: (event) => {
      if (event.type !== "asked") return;
      asked.push(event.tool);
      answers.push(client.agent.approve(runId, event, answer(event), reason));
    },
  });
  await Promise.all(answers);
  return { ...result, asked };
}

describe("promise 5: a run whose caller wants to be asked", () => {
  it.each([
    ["writes", ["write_file", "execute"]],
    ["commands", ["execute"]],
    ["all", ["read_file", "write_file", "execute"]],
    ["none", []],
  ] as const)("approve: %s", async (approve, expected) => {
    const { model } = world();
    const file = fresh();
    await writeFile(file, "old");
    model.script(
      { tools: [read(file)] },
      { tools: [write(file)] },
      { tools: [execute("true")] },
      { text: "Done." },
    );
    const { asked, toolCalls } = await answering(approve, () => "yes");
    expect(asked).toEqual(expected);
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(await readFile(file, "utf8")).toBe("new");
  });

  it("nothing is done before the answer, and nothing after a no; the model is told why", async () => {
    const { model } = world();
    const file = fresh();
    const seen: boolean[] = [];
    model.script({ tools: [write(file)] }, { text: "I was not allowed to." });
    const { toolCalls } = await answering(
      "writes",
      () => {
        seen.push(true);
        return "no";
      },
      "not this\u202efile",
    );
    expect(seen).toEqual([true]);
    expect(toolCalls).toMatchObject([
      { ok: false, output: expect.stringMatching(/^ApprovalRefused: .*not this\\u\{202e\}file/) },
    ]);
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });

  it("an answer is for one use, the first counts, and no other key answers", async () => {
    const { client, model, cluster } = world();
    const [first, second] = [fresh(), fresh()];
    model.script({ tools: [write(first), write(second)] }, { text: "One of two." });
    const { apiKey } = await cluster.createKey({ scopes: ["agent", "approve"], machines: ["*"] });
    await using stranger = CMDOPClient.remote({ apiKey });
    const runId = randomUUID();
    const asked: Asked[] = [];
    const run = client.agent.run("Write both.", {
      runId,
      approve: "writes",
      onEvent: (event) => {
        if (event.type === "asked") asked.push(event);
      },
    });
    await waitUntil(() => asked.length === 2);
    const [one, two] = asked;
    if (one === undefined || two === undefined) throw new Error("two were asked");
    await expect(stranger.agent.approve(runId, one, "yes")).rejects.toMatchObject({ code: "JobUnknown" });
    await expect(client.agent.approve(runId, { ...one, callId: "call-x" }, "yes")).rejects.toMatchObject({
      code: "NotFound",
    });
    for (const hash of ["", two.hash, one.hash.toLowerCase()])
      await expect(client.agent.approve(runId, { ...one, hash }, "yes")).rejects.toMatchObject({
        code: "ApprovalRefused",
      });
    await client.agent.approve(runId, one, "no");
    await expect(client.agent.approve(runId, one, "yes")).rejects.toMatchObject({ code: "NotFound" });
    await client.agent.approve(runId, two, "yes");
    expect((await run).toolCalls.map(({ ok }) => ok)).toEqual([false, true]);
    await expect(client.agent.approve(runId, two, "yes")).rejects.toMatchObject({ code: "JobEnded" });
    await expect(readFile(first)).rejects.toThrow("ENOENT");
    expect(await readFile(second, "utf8")).toBe("new");
  });

  it("a yes does not widen what the machine's policy asks or forbids", async () => {
    const { model, machine } = world();
    const policyFile = path.join(agentStateDir(machine.home), "policy.json");
    const policies = async () =>
      (await machineChain(machine.home)).records.filter(({ type }) => type === "policy").length;
    const before = await policies();
    const says = { ask: ["/cmdop.v1.Exec/Start"], askTimeoutMs: 1_000, scopes: ["agent", "terminal"] };
    await writeFile(policyFile, JSON.stringify(says), { mode: 0o600 });
    await waitUntil(async () => (await policies()) > before);
    const file = fresh();
    model.script({ tools: [execute(`touch ${file}`)] }, { text: "Nobody said yes." });
    const { asked, toolCalls } = await answering("commands", () => "yes");
    expect(asked).toEqual(["execute"]);
    expect(toolCalls).toMatchObject([
      { ok: false, output: expect.stringMatching(/^ApprovalRefused: This machine's policy/) },
    ]);
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});
