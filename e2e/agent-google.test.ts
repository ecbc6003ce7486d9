import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { type GoogleTurn, googleRefusal, googleServer, said } from "./support/google-generate.ts";
import type { Refusal } from "./support/scripted-provider.ts";

const world = useAgentWorld();

const API_KEY = "AIza-the-key-of-this-machine";

/** The last model before function calls and JSON could be asked for at once, and one after. */
const MODELS = ["gemini-2.5-flash", "gemini-3-pro-preview"] as const;

/** A server that answers so, made the machine's model. */
async function scripted(modelId: string, ...script: readonly (GoogleTurn | Refusal)[]) {
  const server = await googleServer(...script);
  const { model, machine } = world();
  const baseUrl = `${server.origin}/v1beta`;
  await model.serve(machine.home, { model: `google:${modelId}`, baseUrl, apiKey: API_KEY });
  return server;
}

const execute = (command: string, more: object = {}) => ({
  functionCall: { name: "execute", args: { command } },
  ...more,
});

const Words = z.object({ words: z.array(z.string()) });
const answer = { words: ["one", "two"] };

describe.each(MODELS)("Google's generateContent with %s", (modelId) => {
  it("tools in parallel, their signatures sent back, thoughts, usage; the key in its header alone", async () => {
    await using server = await scripted(
      modelId,
      said(
        { text: "They want two.", thought: true },
        { text: "I look. " },
        execute("echo one", { thoughtSignature: "c2lnbmVk" }),
        execute("echo two"),
      ),
      said({ text: "One" }, { text: " and two." }),
    );
    const thoughts: string[] = [];
    const onEvent = (event: RunStreamEvent) => {
      if (event.type === "reasoning") thoughts.push(event.text);
    };
    const result = await world().client.agent.run("Which words?", { onEvent });
    expect(result).toMatchObject({
      text: "One and two.",
      steps: 2,
      toolCalls: [{ ok: true }, { ok: true }],
      usage: { inputTokens: 40, outputTokens: 14, totalTokens: 54 },
    });
    expect(thoughts).toEqual(["They want two."]);
    const url = `/v1beta/models/${modelId}:streamGenerateContent?alt=sse`;
    expect(server.calls.map((call) => call.url)).toEqual([url, url]);
    expect(server.calls.map(({ headers }) => headers["x-goog-api-key"])).toEqual([API_KEY, API_KEY]);
    expect(server.calls[1]?.said).toMatch(/functionResponse[\s\S]*<data-[\s\S]*one/);
    expect(server.calls[1]?.said).toContain('"thoughtSignature":"c2lnbmVk"');
  });

  it("typed output without tools", async () => {
    await using server = await scripted(modelId, said({ text: JSON.stringify(answer) }));
    const options = { agentType: "chat", outputSchema: Words } as const;
    expect((await world().client.agent.run("Which words?", options)).output).toEqual(answer);
    expect(server.calls[0]?.said).toContain('"responseMimeType":"application/json"');
  });

  it.each(["terminal", "command"] as const)("typed output after tools: %s", async (agentType) => {
    const isOld = modelId === MODELS[0];
    const given = isOld
      ? said({ functionCall: { name: "json", args: answer } })
      : said({ text: JSON.stringify(answer) });
    await using server = await scripted(modelId, said(execute("echo one two")), given);
    const result = await world().client.agent.run("Which words?", { agentType, outputSchema: Words });
    expect(result).toMatchObject({ output: answer, steps: 2, toolCalls: [{ tool: "execute", ok: true }] });
    for (const { said: asked } of server.calls) {
      // The older models refuse both at once.
      if (isOld) expect(asked).not.toContain("responseMimeType");
    }
  });
});

describe("what Google's models do wrong", () => {
  const chat = { agentType: "chat" } as const;

  it("429: asked again, not sooner than it says in its body", async () => {
    const slow = googleRefusal(429, "You exceeded your current quota.", "1.2s");
    await using server = await scripted(MODELS[0], slow, said({ text: "Here you are." }));
    const retries: number[] = [];
    const result = await world().client.agent.run("x", {
      ...chat,
      onEvent: (event) => {
        if (event.type === "retry") retries.push(event.pauseMs);
      },
    });
    expect(result.text).toBe("Here you are.");
    expect(retries).toEqual([1200]);
    expect(server.calls).toHaveLength(2);
  });

  it.each([
    ["a malformed call of a function", "MALFORMED_FUNCTION_CALL"],
    ["a stream that just stops", undefined],
  ])("%s is no answer: asked again", async (_what, finishReason) => {
    const broken = { parts: [{ text: "Half an ans" }], finishReason };
    await using server = await scripted(MODELS[0], broken, said({ text: "The whole answer." }));
    expect(await world().client.agent.run("x", chat)).toMatchObject({ text: "The whole answer.", steps: 1 });
    expect(server.calls).toHaveLength(2);
  });

  it("an answer that it withholds is none", async () => {
    await using _server = await scripted(MODELS[0], { parts: [{ text: "Well" }], finishReason: "SAFETY" });
    await expect(world().client.agent.run("x", chat)).rejects.toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("withheld"),
    });
  });

  it("the key that it refuses, and quotes, is shown nowhere", async () => {
    const refusal = googleRefusal(400, `API key not valid: ${API_KEY}. Please pass a valid API key.`);
    await using _server = await scripted(MODELS[0], refusal);
    const { client, machine } = world();
    const runId = randomUUID();
    const error: unknown = await client.agent.run("x", { ...chat, runId }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ModelFailed", message: expect.stringContaining("status 400") });
    const events: RunStreamEvent[] = [];
    for await (const event of client.agent.resumeStream(runId)) events.push(event);
    const text = JSON.stringify([error, events]);
    expect(text).toContain("[key removed]");
    expect(text + String(error) + machine.process.stderr).not.toContain(API_KEY);
    const [job] = await client.terminal.jobs({ kind: "run" });
    expect(job?.outcome).toMatchObject({ reason: expect.stringContaining("[key removed]") });
  });

  it("an answer that breaks off behind a whole tool call: the tool runs once", async () => {
    const file = path.join(world().cluster.directory, "google-runs");
    const tool = execute(`echo run >> ${file}`);
    const cut = { parts: [tool, { text: "and" }], finishReason: undefined };
    await using _server = await scripted(MODELS[0], cut, said(tool), said({ text: "Ran." }));
    expect(await world().client.agent.run("Run it.")).toMatchObject({ text: "Ran.", steps: 2 });
    expect(await readFile(file, "utf8")).toBe("run\n");
  });
});
