import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { type ResponsesTurn, responsesServer } from "./support/openai-responses.ts";
import type { Refusal } from "./support/scripted-provider.ts";

const world = useAgentWorld();

const API_KEY = "sk-proj-the-key-of-this-machine";

const bodySchema = z.object({
  store: z.boolean().optional(),
  include: z.array(z.string()).optional(),
  input: z.array(z.looseObject({ type: z.string().optional(), role: z.string().optional() })),
  text: z.unknown(),
});

/** A server that answers so, made the machine's model. */
async function scripted(...script: readonly (ResponsesTurn | Refusal)[]) {
  const server = await responsesServer(...script);
  const { model, machine } = world();
  const baseUrl = `${server.origin}/v1`;
  await model.serve(machine.home, { model: "openai:gpt-5-scripted", baseUrl, apiKey: API_KEY });
  return server;
}

const execute = (command: string) => ({ tool: "execute", input: { command } });

it("OpenAI's responses, wherever the base URL says: tools, typed output, usage; nothing is kept there", async () => {
  await using server = await scripted(
    { items: [{ encrypted: "c2VjcmV0" }, { text: "I look." }, execute("echo one"), execute("echo two")] },
    { items: [{ text: '{"words": ["one", "two"]}' }] },
  );
  const outputSchema = z.object({ words: z.array(z.string()) });
  const result = await world().client.agent.run("Which words?", { outputSchema });
  expect(result).toMatchObject({
    output: { words: ["one", "two"] },
    steps: 2,
    toolCalls: [{ ok: true }, { ok: true }],
    usage: { inputTokens: 40, outputTokens: 14 },
  });
  expect(server.calls.map(({ url }) => url)).toEqual(["/v1/responses", "/v1/responses"]);
  expect(server.calls[0]?.headers.authorization).toBe(`Bearer ${API_KEY}`);
  const [first, second] = server.calls.map(({ said }) => bodySchema.parse(JSON.parse(said)));
  expect(first).toMatchObject({
    store: false,
    include: ["reasoning.encrypted_content"],
    text: { format: { type: "json_schema", strict: false } },
  });
  // The whole conversation, also what only OpenAI can read, and no reference to what was kept there.
  expect(second?.input).toContainEqual(expect.objectContaining({ encrypted_content: "c2VjcmV0" }));
  expect(second?.input.map(({ type }) => type)).not.toContain("item_reference");
  expect(server.calls[1]?.said).toMatch(/function_call_output[\s\S]*<data-[\s\S]*one/);
});

it("a refusal is told without the key that it quotes; one that passes is asked again", async () => {
  const slow = { error: { message: "Rate limit reached.", type: "tokens", code: "rate_limit_exceeded" } };
  const wrong = { error: { message: `Incorrect API key provided: ${API_KEY}`, type: "x", code: "x" } };
  await using server = await scripted(
    { status: 429, headers: { "retry-after-ms": "30" }, body: slow },
    { status: 401, body: wrong },
  );
  const error: unknown = await world()
    .client.agent.run("x", { agentType: "chat" })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "ModelFailed",
    message: expect.stringMatching(/401.*\[key removed\]/),
  });
  expect(server.calls).toHaveLength(2);
});

it("a stream that just stops behind a whole tool call: it is asked for again, and the tool runs once", async () => {
  const file = path.join(world().cluster.directory, "openai-runs");
  const tool = execute(`echo run >> ${file}`);
  await using server = await scripted(
    { items: [tool], isCut: true },
    { items: [tool] },
    { items: [{ text: "Ran." }] },
  );
  expect(await world().client.agent.run("Run it.")).toMatchObject({ text: "Ran.", steps: 2 });
  expect(server.calls).toHaveLength(3);
  expect(await readFile(file, "utf8")).toBe("run\n");
});
