import { readFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient, type RunStreamEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";

const world = useAgentWorld();

const json = (value: object) => ({ text: JSON.stringify(value) });
const execute = (command: string) => ({ name: "execute", arguments: { command } });

/** The events of a run as its journal has them, read again after its end. */
async function journal(runId: string): Promise<RunStreamEvent[]> {
  const events: RunStreamEvent[] = [];
  for await (const event of world().client.agent.resumeStream(runId)) events.push(event);
  return events;
}

describe("a run of the type command", () => {
  it("runs one command and reports", async () => {
    const { client, model } = world();
    model.script({ tools: [execute("echo 17 containers")] }, { text: "There are 17." });
    const result = await client.agent.run("How many containers?", { agentType: "command" });
    expect(result).toMatchObject({ text: "There are 17.", steps: 2, toolCalls: [{ ok: true }] });
    const [first, second] = model.calls;
    expect(first?.body.tool_choice).toEqual({ type: "function", function: { name: "execute" } });
    expect(first?.body.tools.map((tool) => tool.function.name)).toEqual(["execute"]);
    expect(second?.body.tool_choice).toBe("none");
  });

  it("never a second one, whatever the model asks for", async () => {
    const { client, model, cluster } = world();
    const file = path.join(cluster.directory, "commands");
    const command = execute(`echo run >> ${file}`);
    model.script({ tools: [command, command] }, { tools: [command] }, { text: "One." });
    const { toolCalls, text } = await client.agent.run("Run it.", { agentType: "command" });
    // The second in the same breath is refused; asking again, where no tool may be used, is no answer.
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, false]);
    expect(text).toBe("One.");
    expect(await readFile(file, "utf8")).toBe("run\n");
  });
});

describe("a run of the type router", () => {
  it("chooses, and the chosen type runs; the choice is in the journal", async () => {
    const { client, model } = world();
    model.script(
      json({ agentType: "command", reason: "one command is enough" }),
      { tools: [execute("hostname")] },
      { text: "That is its name." },
    );
    const { runId, text, steps } = await client.agent.run("What is it called?", { agentType: "router" });
    expect({ text, steps }).toEqual({ text: "That is its name.", steps: 3 });
    expect(await journal(runId)).toContainEqual(
      expect.objectContaining({ type: "choice", agentType: "command", reason: "one command is enough" }),
    );
    expect(model.calls[0]?.body.tools).toEqual([]);
  });

  it("a choice that is none is repaired once; its answer has the caller's type", async () => {
    const { client, model } = world();
    model.script(
      json({ agentType: "wizard", reason: "magic" }),
      json({ agentType: "chat", reason: "nothing to look at" }),
      json({ answer: 42 }),
    );
    const outputSchema = z.object({ answer: z.number() });
    const { output } = await client.agent.run("6 × 7?", { agentType: "router", outputSchema });
    expect(output.answer).toBe(42);
  });
});

describe("a router whose key lacks the tools of a type", () => {
  it.each([
    [["agent"], "chat"],
    [["agent", "files:read"], "chat, terminal, planner"],
  ])("promise 5: %j chooses among %s", async (scopes, expected) => {
    const { cluster, model } = world();
    const { apiKey } = await cluster.createKey({ scopes, machines: ["*"] });
    await using client = CMDOPClient.remote({ apiKey });
    // The model insists on what it was not offered, and then gives in.
    model.script(
      json({ agentType: "command", reason: "I would like to" }),
      json({ agentType: "chat", reason: "as you wish" }),
      { text: "Only words." },
    );
    const { text, runId } = await client.agent.run("Run id.", { agentType: "router" });
    expect(text).toBe("Only words.");
    const offered = [...(model.calls[0]?.said ?? "").matchAll(/- (\w+): /g)].map(([, type]) => type);
    expect(offered.join(", ")).toBe(expected);
    const events: RunStreamEvent[] = [];
    for await (const event of client.agent.resumeStream(runId)) events.push(event);
    const choices = events.flatMap((event) => (event.type === "choice" ? [event.agentType] : []));
    expect(choices).toEqual(["chat"]);
  });
});

describe("a run of the type planner", () => {
  it("plans, carries each step out, and answers; all of it is in the journal", async () => {
    const { client, model } = world();
    model.script(
      json({ steps: ["look at the disk", "look at the load"] }),
      { tools: [execute("df -h /")] },
      json({ done: true, report: "the disk is half full" }),
      { tools: [execute("cat /proc/loadavg")] },
      json({ done: true, report: "the load is low" }),
      json({ healthy: true }),
    );
    const outputSchema = z.object({ healthy: z.boolean() });
    const result = await client.agent.run("Is it well?", { agentType: "planner", outputSchema });
    expect(result).toMatchObject({
      output: { healthy: true },
      steps: 6,
      toolCalls: [{ ok: true }, { ok: true }],
    });
    const events = await journal(result.runId);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "plan", steps: ["look at the disk", "look at the load"] }),
    );
    const steps = events.flatMap((event) =>
      event.type === "plan_step" ? [[event.number, event.state, event.report]] : [],
    );
    expect(steps).toEqual([
      [1, "begun", ""],
      [1, "done", "the disk is half full"],
      [2, "begun", ""],
      [2, "done", "the load is low"],
    ]);
    // The second step knows of the first, and the answer of both.
    expect(model.calls[3]?.said).toContain("the disk is half full");
    expect(model.calls[5]?.said).toContain("the load is low");
  });

  it("makes a new plan where a step failed", async () => {
    const { client, model } = world();
    model.script(
      json({ steps: ["do it the old way", "check it"] }),
      json({ done: false, report: "the old way is closed" }),
      json({ steps: ["do it the new way"] }),
      json({ done: true, report: "it is done" }),
      { text: "Done, the new way." },
    );
    const { text, runId } = await client.agent.run("Do it.", { agentType: "planner" });
    expect(text).toBe("Done, the new way.");
    expect(model.calls[2]?.said).toContain("the old way is closed");
    const plans = (await journal(runId)).flatMap((event) => (event.type === "plan" ? [event.steps] : []));
    expect(plans).toEqual([["do it the old way", "check it"], ["do it the new way"]]);
  });

  it("promise 9: gives up after some plans, and says so in its answer", async () => {
    const { client, model } = world();
    const failing = [json({ steps: ["try"] }), json({ done: false, report: "no" })];
    model.script(...failing, ...failing, ...failing, ...failing, { text: "It could not be done." });
    const { text } = await client.agent.run("Do the impossible.", { agentType: "planner" });
    expect(text).toBe("It could not be done.");
    expect(model.calls.at(-1)?.said).toContain("FAILED: try");
  });
});
