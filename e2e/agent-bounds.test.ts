import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { MAX_OUTPUT_SCHEMA_BYTES, MAX_PROMPT_BYTES } from "@cmdop/proto";
import type { RunOptions, RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it, onTestFinished } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import { googleServer, type Part } from "./support/google-generate.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const execute = (command: string) => ({ name: "execute", arguments: { command } });

describe("promise 9: the bounds of a run", () => {
  it("what a run may be asked for: refused before it begins, with the limit", async () => {
    const { client, model } = world();
    model.script();
    const properties = { a: { type: "string", description: "x".repeat(MAX_OUTPUT_SCHEMA_BYTES) } };
    const asked: [prompt: string, options: RunOptions, RegExp][] = [
      [" ", {}, /prompt is empty/],
      ["x".repeat(MAX_PROMPT_BYTES + 1), {}, new RegExp(`${MAX_PROMPT_BYTES} bytes at most`)],
      ["x", { maxSteps: 501 }, /maxSteps is at most 500/],
      ["x", { timeoutMs: 24 * 3_600_000 + 1 }, /timeoutMs is at most 86400000/],
    ];
    for (const [prompt, { maxSteps, timeoutMs }, why] of asked)
      await expect(client.agent.run(prompt, { maxSteps, timeoutMs })).rejects.toThrow(why);
    const wide = async () => client.agent.run("x", { outputJsonSchema: { type: "object", properties } });
    await expect(wide()).rejects.toThrow(`${MAX_OUTPUT_SCHEMA_BYTES} are the limit`);
    expect(model.calls).toEqual([]);
  });

  it("a conversation that grows too long: old output is taken out, and the model is told", async () => {
    const { client, model } = world();
    model.always(({ body }) =>
      body.messages.length > 40 ? { text: "Enough." } : { tools: [execute("seq 1 100000")] },
    );
    const taken: number[] = [];
    const onEvent = (event: RunStreamEvent) => {
      if (event.type === "shortened") taken.push(event.characters);
    };
    expect(await client.agent.run("Count.", { onEvent })).toMatchObject({ text: "Enough.", steps: 21 });
    expect(taken.length).toBeGreaterThan(0);
    const last = model.calls.at(-1)?.said ?? "";
    expect(last.length).toBeLessThan(450_000);
    expect(last).toContain("more characters were taken out, since the conversation is long");
    // What it was asked, and the newest output, are whole.
    expect(last).toContain("Count.");
    expect(last.slice(-200)).toContain("100000");
  });

  it.each<[string, Part]>([
    ["says", { text: "x".repeat(300_000) }],
    ["asks tools with", { functionCall: { name: "execute", args: { command: "x".repeat(300_000) } } }],
  ])("a model that never stops: what it %s is bounded", async (_how, part) => {
    const { client, model, machine } = world();
    await using server = await googleServer({ parts: [part, part, part, part], finishReason: "STOP" });
    const baseUrl = `${server.origin}/v1beta`;
    await model.serve(machine.home, { model: "google:gemini-3-scripted", baseUrl });
    onTestFinished(() => model.serve(machine.home));
    await expect(client.agent.run("Speak.")).rejects.toMatchObject({
      code: "ModelFailed",
      message: expect.stringContaining("more than 500000 characters"),
    });
    expect(server.calls).toHaveLength(1);
  });

  it("a provider that fails for ever is asked five times", async () => {
    const { client, model } = world();
    model.always({ status: 503, headers: { "retry-after-ms": "1" }, error: "overloaded" });
    await expect(client.agent.run("x")).rejects.toMatchObject({ code: "ModelFailed", steps: 1 });
    expect(model.calls).toHaveLength(5);
  });

  it("a provider that asks for a longer pause than a minute gets a minute, and cancel ends the pause", async () => {
    const { client, model } = world();
    model.always({ status: 429, headers: { "retry-after": "3600" }, error: "later" });
    const runId = randomUUID();
    for await (const event of client.agent.stream("x", { runId })) {
      if (event.type !== "retry") continue;
      expect(event.pauseMs).toBe(60_000);
      break;
    }
    expect(await client.agent.cancel(runId)).toMatchObject({ outcome: "canceled" });
  });

  it("tools that run at once: the ninth waits for one of eight", async () => {
    const { client, model, cluster } = world();
    const file = path.join(cluster.directory, randomUUID());
    const wait = execute(`until test -e ${file}; do sleep 0.02; done`);
    model.script({ tools: Array.from({ length: 9 }, () => wait) }, { text: "All." });
    const run = client.agent.run("Nine at once.");
    const running = async () => (await client.terminal.jobs({ kind: "exec", running: true })).length;
    await waitUntil(async () => (await running()) >= 8);
    expect(await running()).toBe(8);
    await writeFile(file, "");
    expect((await run).toolCalls.map(({ ok }) => ok)).toEqual(Array.from({ length: 9 }, () => true));
  });
});

describe("a crash of the machine's agent", () => {
  it("promise 1: what was running is unknown, what it had started is ended, and both are said", async () => {
    const { client, model, cluster, machine } = world();
    const runId = randomUUID();
    model.script({ tools: [execute("sleep 74.5")] });
    const states: string[] = [];
    const run = client.agent
      .run("Sleep.", { runId, onLink: (state) => states.push(state) })
      .catch((thrown: unknown) => thrown);
    await waitUntil(async () => (await client.terminal.jobs({ kind: "exec", running: true })).length === 1);
    await machine.process.stop("SIGKILL");
    await cluster.restartAgent(machine);
    expect(await run).toMatchObject({
      outcome: "unknown",
      toolCalls: [{ tool: "execute", ok: false, output: "" }],
    });
    expect(states).toContain("back");
    expect(await client.terminal.jobs({ running: true })).toEqual([]);
    const [job] = await client.terminal.jobs({ kind: "run" });
    expect(job).toMatchObject({ jobId: runId, outcome: { outcome: "unknown" } });
  });
});
