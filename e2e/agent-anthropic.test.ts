import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { anthropicServer, type Message } from "./support/anthropic-messages.ts";

const world = useAgentWorld();

const API_KEY = "sk-ant-the-key-of-this-machine";

/** A server that answers so, made the machine's model. */
async function scripted(...script: readonly Message[]) {
  const server = await anthropicServer(...script);
  const { model, machine } = world();
  await model.serve(machine.home, {
    model: "anthropic:claude-scripted",
    baseUrl: `${server.origin}/v1`,
    apiKey: API_KEY,
  });
  return server;
}

const execute = (command: string) => ({ tool: "execute", input: { command } });

it("Anthropic's messages: tools, typed output, usage", async () => {
  await using server = await scripted(
    { blocks: [{ text: "I look. " }, execute("echo one"), execute("echo two")] },
    { blocks: [{ text: '{"words": ["one", "two"]}' }] },
  );
  const outputSchema = z.object({ words: z.array(z.string()) });
  const result = await world().client.agent.run("Which words?", { outputSchema });
  expect(result).toMatchObject({
    output: { words: ["one", "two"] },
    steps: 2,
    toolCalls: [{ ok: true }, { ok: true }],
    usage: { inputTokens: 40, outputTokens: 14 },
  });
  expect(server.calls.map(({ headers }) => headers["x-api-key"])).toEqual([API_KEY, API_KEY]);
  expect(server.calls[1]?.said).toMatch(/tool_result[\s\S]*<data-[\s\S]*one/);
});

it("an answer that breaks off behind a whole tool call: the tool waits, and runs once", async () => {
  const file = path.join(world().cluster.directory, "anthropic-runs");
  const tool = execute(`echo run >> ${file}`);
  await using server = await scripted(
    { blocks: [tool, { text: "and now" }], isCut: true },
    { blocks: [tool] },
    { blocks: [{ text: "Ran." }] },
  );
  expect(await world().client.agent.run("Run it.")).toMatchObject({ text: "Ran.", steps: 2 });
  expect(server.calls).toHaveLength(3);
  expect(await readFile(file, "utf8")).toBe("run\n");
});
