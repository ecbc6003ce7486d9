import type { RunStreamEvent } from "@cmdop/sdk";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "../support/agent-world.ts";
import type { ModelCall, Reply } from "../support/model-server.ts";

const world = useAgentWorld();

const chat = { agentType: "chat" } as const;
const Health = z.object({ status: z.string(), issues: z.array(z.string()) });
const good = { status: "ok", issues: [] };
const JSON_TEXT = JSON.stringify(good);

/** Each test has a model of its own: what one refuses is remembered for the life of the agent. */
let models = 0;
beforeEach(async () => {
  const { model, machine } = world();
  models += 1;
  await model.serve(machine.home, { model: `openai-compatible:scripted-${models}`, apiKey: "ollama" });
});

/** A run, with the text and the thoughts of its stream. */
async function run(options: object = {}) {
  const said = { text: "", thoughts: "", revoked: 0, repairs: 0 };
  const onEvent = (event: RunStreamEvent): void => {
    if (event.type === "text") said.text += event.text;
    if (event.type === "reasoning") said.thoughts += event.text;
    if (event.type === "revoked") {
      said.text = "";
      said.revoked += 1;
    }
    if (event.type === "repair") said.repairs += 1;
  };
  const result = await world().client.agent.run("Well?", { ...chat, onEvent, ...options });
  return { ...result, said };
}

describe("'the right answer is refused twice, and the run fails'", () => {
  it.each([
    ["behind a thought (DeepSeek, Qwen)", `<think>\nLooks fine: {"status": 7}\n</think>\n\n${JSON_TEXT}`],
    ["behind a thought that has no beginning (vLLM)", `Looks fine.\n</think>\n\n${JSON_TEXT}`],
    ["in a thought that has no end", `<think>\nLooks fine, so:\n\`\`\`json\n${JSON_TEXT}\n\`\`\``],
    ["behind [THINK] (Magistral)", `[THINK]Looks fine.[/THINK]${JSON_TEXT}`],
    [
      "in a channel (gpt-oss)",
      `<|channel|>analysis<|message|>Fine.<|end|><|start|>assistant<|channel|>final<|message|>${JSON_TEXT}`,
    ],
    [
      "behind 'Here is the JSON:' and in a fence",
      `Here is the JSON:\n\`\`\`json\n${JSON_TEXT}\n\`\`\`\nAnything else?`,
    ],
    ["in one of several fences", `\`\`\`sh\ndf -h\n\`\`\`\n\`\`\`json\n${JSON_TEXT}\n\`\`\``],
    ["among words", `All is well: ${JSON_TEXT} (as far as I see).`],
    ["in a string", JSON.stringify(JSON_TEXT)],
    ["with a byte order mark", `\ufeff${JSON_TEXT}`],
    ["with a key that nobody asked for", JSON.stringify({ ...good, confidence: 0.9 })],
  ])("%s: it is read at once", async (_where, text) => {
    const { model } = world();
    model.script({ text });
    const { output, steps } = await run({ outputSchema: Health });
    expect({ output, steps }).toEqual({ output: good, steps: 1 });
  });

  it("a strict object refuses a key that nobody asked for, and the model is told", async () => {
    world().model.script({ text: JSON.stringify({ ...good, confidence: 0.9 }) }, { text: JSON_TEXT });
    const { output, said } = await run({ outputSchema: z.strictObject(Health.shape) });
    expect([output, said.repairs]).toEqual([good, 1]);
  });
});

describe("'the answer is full of thoughts'", () => {
  it.each([
    ["<think>One, two.</think>\n\nTwo.", "Two."],
    ["<reasoning>One, two.</reasoning>Two.", "Two."],
    [
      "<|channel|>analysis<|message|>One, two.<|end|><|start|>assistant<|channel|>final<|message|>Two.<|return|>",
      "Two.",
    ],
  ])("%s: they are thoughts, in the answer and while it comes", async (text, expected) => {
    world().model.script({ text });
    const { text: answer, said } = await run();
    expect([answer, said.text, said.thoughts]).toEqual([expected, expected, "One, two."]);
  });

  it("thoughts without a beginning are revoked once; then the model is known for them", async () => {
    world().model.script(
      { text: "One.\n</think>\n\nTwo." },
      { text: "Three.\n</think>\n\nFour." },
      { text: "Five." },
    );
    const [first, second, third] = [await run(), await run(), await run()];
    expect([first.text, first.said.text, first.said.revoked]).toEqual(["Two.", "Two.", 1]);
    expect(second).toMatchObject({
      text: "Four.",
      said: { text: "Four.", thoughts: "Three.\n", revoked: 0 },
    });
    expect(third.text).toBe("Five.");
  });

  it("an answer about such tags stays as it is", async () => {
    const text = "Models think between <think> and </think>:\n```html\n<think>x</think>\n```\n";
    world().model.script({ text });
    expect((await run()).text).toBe(text);
  });

  it("thoughts are not sent back", async () => {
    const { model } = world();
    model.script(
      {
        text: "<think>SECRET PLAN</think>Looking.",
        tools: [{ name: "execute", arguments: { command: "true" } }],
      },
      { text: "Done." },
    );
    await run({ agentType: "terminal" });
    expect(model.calls[1]?.said).toContain("Looking.");
    expect(model.calls[1]?.said).not.toContain("SECRET PLAN");
  });
});

describe("'it completed with an empty answer'", () => {
  it.each<[string, Reply]>([
    ["nothing", { text: "" }],
    ["white space", { text: " \n" }],
    ["a thought in its text", { text: "<think>Hm.</think>" }],
    ["a thought of its server", { text: "", reasoning: "Hm." }],
    ["a thought without an end", { text: "<think>Hm, {" }],
  ])("%s is asked for once more, and then said to be no answer", async (_what, nothing) => {
    const { model } = world();
    model.script(nothing, { text: "Here." }, nothing, nothing);
    const { text, steps, said } = await run();
    expect([text, steps, said.repairs]).toEqual(["Here.", 2, 1]);
    // In the same turn: some models refuse two of the same role.
    expect(model.calls[1]?.body.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(model.calls[1]?.said).toContain("Your answer is empty");
    await expect(run()).rejects.toMatchObject({
      code: "ModelFailed",
      outcome: "failed",
      message: expect.stringContaining("once more"),
      steps: 2,
    });
  });
});

describe("'400: response_format is not supported'", () => {
  const format = ({ body }: ModelCall): unknown =>
    z.object({ type: z.string() }).safeParse(body.response_format).data?.type;
  /** A server that knows these forms and no others. */
  const server =
    (forms: readonly string[], status: number, error: string) =>
    (call: ModelCall): Reply => {
      const form = format(call);
      return form === undefined || forms.includes(String(form)) ? { text: JSON_TEXT } : { status, error };
    };

  it.each([
    ["DeepSeek", ["json_object"], 400, "This response_format type is unavailable now"],
    ["a strict one", [], 422, "response_format: Extra inputs are not permitted"],
    ["one that says nothing of use", [], 400, "Bad Request"],
  ])("%s: it goes on with the schema in words, and remembers", async (_who, forms, status, error) => {
    const { model } = world();
    model.always(server(forms, status, error));
    expect(await run({ outputSchema: Health })).toMatchObject({ output: good, steps: 1 });
    const refused = model.calls.length - 1;
    expect(model.calls.map(format)).toEqual(["json_schema", "json_object", undefined].slice(0, refused + 1));
    expect(model.calls.at(-1)?.said).toContain("JSON Schema");
    await run({ outputSchema: Health });
    expect(model.calls).toHaveLength(refused + 2);
  });

  it("what it can do without otherwise is left out, too", async () => {
    const { model } = world();
    model.always(({ body }) => {
      if (body.stream_options !== undefined)
        return { status: 422, error: "body.stream_options: Extra inputs are not permitted" };
      if (body.max_tokens !== undefined)
        return {
          status: 400,
          error: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        };
      if (typeof body.tool_choice === "object")
        return { status: 400, error: "tool_choice: only auto is supported" };
      return body.messages.some(({ role }) => role === "tool")
        ? { text: "Done." }
        : { tools: [{ name: "execute", arguments: { command: "echo hi" } }] };
    });
    const options = { agentType: "command", maxTokens: 4_000 };
    expect(await run(options)).toMatchObject({ text: "Done.", toolCalls: [{ ok: true }] });
    expect(model.calls).toHaveLength(5);
    await run(options);
    expect(model.calls).toHaveLength(7);
  });

  it("a refusal that nothing cures is told as it came, and a model without tools is said to be one", async () => {
    const { model } = world();
    model.always({ status: 400, error: "scripted does not support tools" });
    await expect(run({ agentType: "terminal" })).rejects.toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("does not support tools"),
      next: expect.stringContaining("chat"),
    });
    expect(model.calls).toHaveLength(1);
    model.always({ status: 400, error: "first" });
    await expect(run({ outputSchema: Health })).rejects.toThrow("first");
  });
});

describe("'invalid arguments', as local models send them", () => {
  it.each<[string, string | object]>([
    [
      "null for what is optional",
      { command: "echo hi", cwd: null, stdin: null, timeoutMs: null, waitMs: null },
    ],
    ["numbers as text", { command: "echo hi", timeoutMs: "5000" }],
    ["an object in a text", JSON.stringify(JSON.stringify({ command: "echo hi" }))],
  ])("%s", async (_what, args) => {
    world().model.script(
      { tools: [{ name: "execute", arguments: args }], finish: "stop" },
      { text: "Done." },
    );
    const { toolCalls } = await run({ agentType: "terminal" });
    expect(toolCalls).toMatchObject([{ ok: true, input: expect.objectContaining({ command: "echo hi" }) }]);
  });

  it.each(["", "null", "{}", '""'])("%j is none at all", async (args) => {
    const { model } = world();
    model.script({ tools: [{ name: "session_start", arguments: args }] }, { text: "Done." });
    const { toolCalls } = await run({ agentType: "terminal" });
    expect(toolCalls).toMatchObject([{ tool: "session_start", ok: true }]);
  });
});

it("'ollama' is a key, and a word that stays in the answer", async () => {
  const { model } = world();
  model.script({ text: "ollama serves it." });
  expect((await run()).text).toBe("ollama serves it.");
  expect(model.calls[0]?.authorization).toBe("Bearer ollama");
});
