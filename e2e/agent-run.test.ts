import { randomUUID } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { agentStateDir } from "@cmdop/proto";
import { CMDOPClient, type RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { ModelServer, USAGE } from "./support/model-server.ts";

const world = useAgentWorld();

const Health = z.object({ status: z.string(), issues: z.array(z.string()) });

const chat = { agentType: "chat" } as const;

async function eventsOf(events: AsyncIterable<RunStreamEvent>): Promise<RunStreamEvent[]> {
  const all: RunStreamEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe("a run of the type chat", () => {
  it("answers in words, and says what it took", async () => {
    const { client, model } = world();
    model.script({ text: "The capital of France is Paris." });
    const result = await client.agent.run("What is the capital of France?", chat);
    expect(result).toMatchObject({
      outcome: "completed",
      output: "The capital of France is Paris.",
      text: "The capital of France is Paris.",
      steps: 1,
      toolCalls: [],
      usage: { inputTokens: 10, outputTokens: 5, totalTokens: USAGE.total_tokens },
    });
    const [call] = model.calls;
    expect(call?.authorization).toBe(`Bearer ${ModelServer.apiKey}`);
    expect(call?.body.tools).toEqual([]);
    expect(call?.said).toContain("capital of France");
  });

  it("streams its events in their order, whatever the pieces", async () => {
    const { client, model } = world();
    const text = "Ein längerer Text – über Müßiggang.\n".repeat(40);
    model.script({ text });
    const events = await eventsOf(client.agent.stream("Write.", chat));
    const types = events.map(({ type }) => type).filter((type) => type !== "text");
    expect(types).toEqual(["started", "begun", "step", "usage", "end", "ended"]);
    const pieces = events.flatMap((event) => (event.type === "text" ? [event.text] : []));
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.join("")).toBe(text);
  });
});

describe("typed output", () => {
  const good = { status: "fine", issues: ["disk is 91 % full"] };

  it("comes as what the schema says, and the model is told the schema", async () => {
    const { client, model } = world();
    model.script({ text: JSON.stringify(good) });
    const { output } = await client.agent.run("Check.", { ...chat, outputSchema: Health });
    // The inferred type: this line compiles.
    const issues: readonly string[] = output.issues;
    expect(issues).toEqual(good.issues);
    expect(output).toEqual(good);
    expect(model.calls[0]?.body.response_format).toMatchObject({
      type: "json_schema",
      json_schema: { schema: { properties: { status: { type: "string" } } } },
    });
  });

  it("that fails its schema once is repaired: the model is told what is wrong", async () => {
    const { client, model } = world();
    model.script({ text: '{"status": 7}' }, { text: JSON.stringify(good) });
    const events: string[] = [];
    const onEvent = ({ type }: RunStreamEvent) => events.push(type);
    const result = await client.agent.run("Check.", { ...chat, outputSchema: Health, onEvent });
    expect(result).toMatchObject({ output: good, steps: 2 });
    expect(events).toContain("repair");
    expect(model.calls[1]?.said).toMatch(/does not match[\s\S]*issues/);
  });

  it("that fails twice is OutputInvalid, with the raw text", async () => {
    const { client, model } = world();
    model.script({ text: '{"status": 7}' }, { text: "All is well!" });
    const run = client.agent.run("Check.", { ...chat, outputSchema: Health });
    await expect(run).rejects.toMatchObject({
      name: "OutputInvalid",
      code: "OutputInvalid",
      outcome: "failed",
      text: "All is well!",
      steps: 2,
    });
  });

  it("is parsed by zod here: defaults and transforms hold", async () => {
    const { client, model } = world();
    const schema = z.object({ at: z.string().transform((text) => text.length), n: z.number().default(3) });
    model.script({ text: '{"at": "four"}' });
    expect((await client.agent.run("x", { ...chat, outputSchema: schema })).output).toEqual({ at: 4, n: 3 });
  });

  it("a schema that JSON can't say is refused before anything is sent", async () => {
    const { client, model } = world();
    model.script();
    const run = async () => client.agent.run("x", { ...chat, outputSchema: z.object({ at: z.date() }) });
    await expect(run()).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(model.calls).toEqual([]);
  });
});

describe("a run is a job", () => {
  it("promise 2: the same id again attaches, another request with it is refused", async () => {
    const { client, model } = world();
    model.script({ text: "once" });
    const runId = randomUUID();
    const first = await client.agent.run("Say it once.", { ...chat, runId });
    const second = await client.agent.run("Say it once.", { ...chat, runId });
    expect(second.output).toBe(first.output);
    expect(model.calls).toHaveLength(1);
    const other = client.agent.run("Say it twice.", { ...chat, runId });
    await expect(other).rejects.toMatchObject({ code: "JobConflict" });
  });

  it("promises 3 and 4: it outlives its caller, and is read again from any event on", async () => {
    const { model, client, apiKey } = world();
    const runId = randomUUID();
    const gate = Promise.withResolvers<void>();
    model.script(async () => {
      await gate.promise;
      return { text: "It took a while, but here it is." };
    });
    {
      await using first = CMDOPClient.remote({ apiKey });
      for await (const { type } of first.agent.stream("Take your time.", { ...chat, runId })) {
        if (type === "step") break;
      }
    }
    gate.resolve();
    const all = await eventsOf(client.agent.resumeStream(runId));
    expect(await client.agent.resume(runId)).toMatchObject({ text: "It took a while, but here it is." });
    const events = all.filter(({ type }) => type !== "started");
    for (const [index, { after }] of events.entries()) {
      const rest = (await eventsOf(client.agent.resumeStream(runId, { after }))).filter(
        ({ type }) => type !== "started",
      );
      // The job's own end has no place in the journal: it is said to everyone.
      const expected = index === events.length - 1 ? events.slice(-1) : events.slice(index + 1);
      expect(rest).toEqual(expected);
    }
  });

  it("is listed with its prompt, and how it ended", async () => {
    const { client, model } = world();
    model.script({ text: "done" });
    const { runId } = await client.agent.run("Be listed, please.", chat);
    const job = (await client.terminal.jobs({ kind: "run" })).find(({ jobId }) => jobId === runId);
    expect(job).toMatchObject({
      kind: "run",
      command: "chat: Be listed, please.",
      outcome: { outcome: "completed" },
    });
  });

  it("cancel ends it; a cancel that comes first ends it before it begins", async () => {
    const { client, model } = world();
    const runId = randomUUID();
    model.script({ silentAfter: "Well," });
    const run = client.agent.run("Never end.", { ...chat, runId });
    const failed = expect(run).rejects.toMatchObject({
      code: "Canceled",
      outcome: "canceled",
      text: "Well,",
    });
    await expect.poll(() => model.calls.length).toBe(1);
    for await (const { type } of client.agent.resumeStream(runId)) if (type === "text") break;
    expect(await client.agent.cancel(runId)).toMatchObject({ outcome: "canceled" });
    await failed;

    const early = randomUUID();
    expect(await client.agent.cancel(early)).toMatchObject({ outcome: "unknown" });
    const late = client.agent.run("Too late.", { ...chat, runId: early });
    await expect(late).rejects.toMatchObject({ outcome: "canceled" });
    expect(model.calls).toHaveLength(1);
  });

  it("aborting the signal cancels it; its time limit ends it", async () => {
    const { client, model } = world();
    const abort = new AbortController();
    model.script(() => {
      abort.abort();
      return { silentAfter: "" };
    });
    const aborted = client.agent.run("x", { ...chat, signal: abort.signal });
    await expect(aborted).rejects.toMatchObject({ code: "Canceled", outcome: "canceled" });
    model.script({ silentAfter: "" });
    const late = client.agent.run("x", { ...chat, timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ code: "DeadlineExceeded", outcome: "timed_out" });
  });
});

describe("a model that fails", () => {
  it("429 with Retry-After: asked again, not sooner", async () => {
    const { client, model } = world();
    model.script(
      { status: 429, headers: { "retry-after": "1" }, error: "slow down" },
      { text: "here you are" },
    );
    const events: RunStreamEvent[] = [];
    const result = await client.agent.run("x", { ...chat, onEvent: (event) => events.push(event) });
    expect(result).toMatchObject({ text: "here you are", steps: 1 });
    const [first, second] = model.calls;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
    expect(events).toContainEqual(expect.objectContaining({ type: "retry", pauseMs: 1000 }));
  });

  it("an answer that breaks off in the middle is asked for again, and what came of it is void", async () => {
    const { client, model } = world();
    model.script({ cutAfter: "The ans" }, { text: "The answer is 42." });
    const result = await client.agent.run("x", chat);
    expect(result).toMatchObject({ text: "The answer is 42.", steps: 1 });
    expect(model.calls).toHaveLength(2);
  });

  it("what it refuses for good is told as it is, without the key that it quotes", async () => {
    const { client, model, machine } = world();
    model.script({ status: 401, error: `Incorrect API key provided: ${ModelServer.apiKey}` });
    const runId = randomUUID();
    const error: unknown = await client.agent.run("x", { ...chat, runId }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ModelFailed", message: expect.stringContaining("401") });
    expect(JSON.stringify(error) + String(error)).not.toContain(ModelServer.apiKey);
    expect(model.calls).toHaveLength(1);
    const journal = (await eventsOf(client.agent.resumeStream(runId))).map((event) => JSON.stringify(event));
    expect(journal.join("\n")).toContain("[key removed]");
    expect(journal.join("\n")).not.toContain(ModelServer.apiKey);
    expect(machine.process.stderr).not.toContain(ModelServer.apiKey);
  });

  it("one that falls silent is given up, and asked again", async () => {
    const { client, model, machine } = world();
    await model.serve(machine.home, { quietMs: 1_000 });
    model.script({ silentAfter: "Hm" }, { text: "There." });
    expect(await client.agent.run("x", chat)).toMatchObject({ text: "There." });
    await model.serve(machine.home);
  });

  it("promise 10: a machine without a model says what to set, at once", async () => {
    const { client, model, machine } = world();
    model.script();
    const file = `${agentStateDir(machine.home)}/model.json`;
    await rename(file, `${file}.aside`);
    const run = client.agent.run("x", chat);
    await expect(run).rejects.toMatchObject({
      code: "ModelMissing",
      next: expect.stringContaining("CMDOP_MODEL=provider:model"),
    });
    await rename(`${file}.aside`, file);
    expect(await readFile(file, "utf8")).toContain("scripted");
  });
});
