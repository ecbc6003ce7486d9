import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import type { ModelCall, Reply } from "./support/model-server.ts";

const world = useAgentWorld();

/** How long a provider may be silent here. Where the machine is so busy that it is, it is asked once more: the scripts allow for it. */
const QUIET_MS = 500;

const hasToolResult = ({ messages }: ModelCall["body"]): boolean =>
  messages.some(({ role }) => role === "tool");

/** A tool that leaves a line for each time that it runs. */
function counted(): { tool: { name: string; arguments: object }; runs: () => Promise<string> } {
  const file = path.join(world().cluster.directory, randomUUID());
  const tool = { name: "execute", arguments: { command: `echo run >> ${file}` } };
  return { tool, runs: () => readFile(file, "utf8").catch(() => "") };
}

describe("promise 1: half an answer is none", () => {
  it("a stream that ends without a word of why is asked for again", async () => {
    const { client, model } = world();
    model.script({ stopsAfter: "The ans" }, { text: "The answer is 42." });
    const result = await client.agent.run("x", { agentType: "chat" });
    expect(result).toMatchObject({ text: "The answer is 42.", steps: 1 });
    expect(model.calls).toHaveLength(2);
  });

  it.each<[string, (tools: readonly { name: string; arguments: object }[]) => Reply]>([
    ["ends without a word of why", (tools) => ({ stopsAfter: "I", tools })],
    ["falls silent", (tools) => ({ silentAfter: "I", tools })],
  ])(
    "one that %s behind a whole tool call: the tool runs once, when it is asked for whole",
    async (_how, broken) => {
      const { client, model, machine } = world();
      await model.serve(machine.home, { quietMs: 300 });
      const { tool, runs } = counted();
      model.script(broken([tool]), { tools: [tool] }, { text: "Ran." });
      const result = await client.agent.run("Run it.", { timeoutMs: 20_000 });
      expect(result).toMatchObject({ text: "Ran.", steps: 2, toolCalls: [{ ok: true }] });
      expect(await runs()).toBe("run\n");
      await model.serve(machine.home);
    },
  );

  it("one that is cut off at its length behind a whole tool call says so, and runs nothing", async () => {
    const { client, model } = world();
    const { tool, runs } = counted();
    model.script({ tools: [tool], finish: "length" });
    await expect(client.agent.run("Run it.")).rejects.toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("longer than its provider allows"),
    });
    expect(model.calls).toHaveLength(1);
    expect(await runs()).toBe("");
  });

  it("a tool may take longer than a provider may be silent", async () => {
    const { client, model, machine } = world();
    await model.serve(machine.home, { quietMs: QUIET_MS });
    const tool = { name: "execute", arguments: { command: `sleep ${(3 * QUIET_MS) / 1000}` } };
    model.always(({ body }) => (hasToolResult(body) ? { text: "Slept." } : { tools: [tool] }));
    expect(await client.agent.run("Sleep.")).toMatchObject({ text: "Slept.", toolCalls: [{ ok: true }] });
    await model.serve(machine.home);
  });
});
