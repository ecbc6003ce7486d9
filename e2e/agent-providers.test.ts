import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { anthropicServer } from "./support/anthropic-messages.ts";
import { googleServer, said } from "./support/google-generate.ts";
import { responsesServer } from "./support/openai-responses.ts";
import type { Refusal, ScriptedProvider } from "./support/scripted-provider.ts";

const world = useAgentWorld();

/** What a model answers, whatever the protocol; `input` as text where it is malformed. */
type Turn = { readonly text: string } | { readonly tools: readonly Use[] } | Refusal;
interface Use {
  readonly tool: string;
  readonly input: object | string;
}

type Start = (
  script: readonly Turn[],
) => Promise<Pick<ScriptedProvider<object>, "calls" | "origin" | typeof Symbol.asyncDispose>>;

/** Each provider's protocol, and where its library looks for it. */
const PROVIDERS: readonly [name: string, model: string, path: string, start: Start][] = [
  [
    "Anthropic",
    "anthropic:claude-scripted",
    "/v1",
    (script) =>
      anthropicServer(
        ...script.map((turn) =>
          "status" in turn ? turn : { blocks: "text" in turn ? [{ text: turn.text }] : turn.tools },
        ),
      ),
  ],
  [
    "OpenAI",
    "openai:gpt-scripted",
    "/v1",
    (script) =>
      responsesServer(
        ...script.map((turn) =>
          "status" in turn ? turn : { items: "text" in turn ? [{ text: turn.text }] : turn.tools },
        ),
      ),
  ],
  [
    "Google",
    "google:gemini-3-scripted",
    "/v1beta",
    (script) =>
      googleServer(
        ...script.map((turn) => {
          if ("status" in turn) return turn;
          if ("text" in turn) return said({ text: turn.text });
          // Arguments come as they are, not as text: malformed ones are of the wrong type.
          const args = (input: object | string) => (typeof input === "string" ? { command: 7 } : input);
          return said(
            ...turn.tools.map(({ tool, input }) => ({ functionCall: { name: tool, args: args(input) } })),
          );
        }),
      ),
  ],
];

const execute = (command: string): Use => ({ tool: "execute", input: { command } });
const json = (value: object) => ({ text: JSON.stringify(value) });
const Words = z.object({ words: z.array(z.string()) });

describe.each(PROVIDERS)("%s", (_name, model, basePath, start) => {
  /** The machine's model, which answers so. */
  async function scripted(...script: readonly Turn[]) {
    const server = await start(script);
    const { model: settings, machine } = world();
    const baseUrl = `${server.origin}${basePath}`;
    await settings.serve(machine.home, { model, baseUrl, apiKey: "a-key-of-this-machine" });
    return server;
  }

  it("all five types of agents", async () => {
    const { client } = world();
    const look = { tools: [execute("echo seen")] };
    await using server = await scripted(
      { text: "chat" },
      look,
      { text: "terminal" },
      look,
      { text: "command" },
      json({ agentType: "chat", reason: "words will do" }),
      { text: "router" },
      json({ steps: ["look"] }),
      look,
      json({ done: true, report: "seen" }),
      { text: "planner" },
    );
    for (const agentType of ["chat", "terminal", "command", "router", "planner"] as const)
      expect((await client.agent.run("Go on.", { agentType })).text).toBe(agentType);
    expect(server.calls).toHaveLength(11);
  });

  it("tools in parallel, malformed arguments and an unknown tool: each is answered, and it goes on", async () => {
    await using server = await scripted(
      {
        tools: [
          execute("echo one"),
          execute("echo two"),
          { tool: "execute", input: '{"command": "ech' },
          { tool: "format_disk", input: {} },
        ],
      },
      { text: "Two of four." },
    );
    const { text, toolCalls } = await world().client.agent.run("Try.");
    expect(text).toBe("Two of four.");
    const calls = toolCalls.map(({ tool, ok }) => [tool, ok]).sort();
    expect(calls).toEqual([
      ["execute", false],
      ["execute", true],
      ["execute", true],
      ["format_disk", false],
    ]);
    const told = server.calls[1]?.said ?? "";
    for (const part of ["one", "two", "format_disk"]) expect(told).toContain(part);
  });

  it("output that fails its schema is repaired once, and is OutputInvalid when it fails again", async () => {
    const { client } = world();
    const options = { agentType: "chat", outputSchema: Words } as const;
    const bad = json({ words: "one" });
    await using _server = await scripted(bad, json({ words: ["one"] }), bad, json({}));
    expect(await client.agent.run("Which?", options)).toMatchObject({ output: { words: ["one"] }, steps: 2 });
    const failing = client.agent.run("Which?", options);
    await expect(failing).rejects.toMatchObject({ code: "OutputInvalid", text: "{}", steps: 2 });
  });

  it("429 with Retry-After is asked again, not sooner; 401 is told", async () => {
    const { client } = world();
    const body = { type: "error", error: { type: "x", code: 1, message: "scripted", status: "x" } };
    await using server = await scripted(
      { status: 429, headers: { "retry-after": "0.3" }, body },
      { text: "Here." },
      { status: 401, body },
    );
    const pauses: number[] = [];
    const onEvent = (event: RunStreamEvent) => {
      if (event.type === "retry") pauses.push(event.pauseMs);
    };
    const result = await client.agent.run("x", { agentType: "chat", onEvent });
    expect(result).toMatchObject({ text: "Here.", steps: 1 });
    expect(pauses).toEqual([300]);
    const refused = client.agent.run("x", { agentType: "chat" });
    await expect(refused).rejects.toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("status 401: scripted"),
      next: expect.stringContaining("CMDOP_MODEL_API_KEY"),
    });
    expect(server.calls).toHaveLength(3);
  });

  it("a model that loops for ever is ended by its budget", async () => {
    await using server = await scripted(...Array.from({ length: 4 }, () => ({ tools: [execute("true")] })));
    const run = world().client.agent.run("Loop.", { maxSteps: 3 });
    await expect(run).rejects.toMatchObject({ code: "BudgetSpent", steps: 3 });
    expect(server.calls).toHaveLength(3);
  });

  it("a conversation goes on behind a refusal of the run's caller", async () => {
    const { client, cluster } = world();
    const file = path.join(cluster.directory, randomUUID());
    await using server = await scripted(
      { tools: [execute(`touch ${file}`)] },
      { text: "I was not allowed to." },
    );
    const runId = randomUUID();
    const result = await client.agent.run("Try.", {
      runId,
      approve: "commands",
      onEvent: (event) => {
        if (event.type === "asked") void client.agent.approve(runId, event, "no", "not today");
      },
    });
    expect(result.text).toBe("I was not allowed to.");
    expect(server.calls[1]?.said).toContain("not today");
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});
