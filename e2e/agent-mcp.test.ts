import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { connectMcp } from "./support/mcp-client.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

let mcp: Client;
beforeAll(async () => {
  const { cluster, apiKey } = world();
  mcp = await connectMcp({ CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "ai") });
});
afterAll(() => mcp.close());

const execute = (command: string) => ({ name: "execute", arguments: { command } });

const call = (name: string, args: Record<string, unknown>, options: object = {}) =>
  mcp.callTool({ name, arguments: args }, options);

const handleSchema = z.object({ structuredContent: z.object({ runId: z.uuid() }) });

const runningJobs = () => world().client.terminal.jobs({ running: true });

it("hands a task over; the answer is in both channels", async () => {
  world().model.script({ tools: [execute("echo three containers")] }, { text: "Three run." });
  const result = await call("agent_run", { prompt: "How many containers run?" });
  expect(result.isError ?? false).toBe(false);
  expect(result.structuredContent).toMatchObject({
    status: "done",
    outcome: "completed",
    text: "Three run.",
    output: null,
    steps: 2,
    toolCalls: 1,
    machine: "web-1",
  });
  expect(JSON.stringify(result.content)).toContain("Three run.");
  expect(world().model.calls[1]?.said).toContain("three containers");
});

it("answers in the shape that the schema has; a dotted name and a named machine will do", async () => {
  world().model.script({ text: '{"disks": 2}' });
  const schema = { type: "object", properties: { disks: { type: "integer" } }, required: ["disks"] };
  const result = await call("agent.run", {
    prompt: "How many disks?",
    type: "chat",
    schema,
    machine: "web-1",
  });
  expect(result.structuredContent).toMatchObject({ output: { disks: 2 }, text: "", steps: 1 });
  expect(JSON.stringify(result.content)).toContain("disks");
});

it("a schema that can't be used is refused before anything is sent", async () => {
  world().model.script();
  const result = await call("agent_run", { prompt: "Go.", schema: { type: "array" } });
  expect(result.isError).toBe(true);
  expect(JSON.stringify(result.content)).toContain("InvalidArgument");
  expect(world().model.calls).toEqual([]);
});

it("promise 1: a run without its answer says why", async () => {
  world().model.always({ tools: [execute("true")] });
  const result = await call("agent_run", { prompt: "For ever.", max_steps: 2 });
  expect(result.structuredContent).toMatchObject({
    status: "done",
    outcome: "failed",
    steps: 2,
    output: null,
  });
  expect(JSON.stringify(result.content)).toContain("BudgetSpent");
});

it("withdrawing the request cancels the run with what it has started", async () => {
  world().model.script({ tools: [execute("sleep 72.5")] });
  const withdraw = new AbortController();
  const calling = call("agent_run", { prompt: "Sleep." }, { signal: withdraw.signal });
  const failing = expect(calling).rejects.toThrow();
  await waitUntil(async () => (await runningJobs()).some(({ command }) => command.includes("72.5")));
  withdraw.abort();
  await failing;
  await waitUntil(async () => (await runningJobs()).length === 0);
  const [run] = await world().client.terminal.jobs({ kind: "run" });
  expect(run?.outcome).toMatchObject({ outcome: "canceled" });
});

it("promise 2: a client that goes away leaves the run running; agent_wait of the next finds it, agent_cancel ends it", async () => {
  const { cluster, apiKey, client, model } = world();
  const file = path.join(cluster.directory, "go-on");
  model.script({ tools: [execute(`until test -e ${file}; do sleep 0.05; done`)] }, { text: "Seen." });
  const first = await connectMcp({ CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "ai") });
  const lost = first.callTool({ name: "agent_run", arguments: { prompt: "Wait for it." } }).then(
    () => "answered",
    () => "lost",
  );
  await waitUntil(async () => (await runningJobs()).some(({ command }) => command.includes(file)));
  await first.close();
  expect(await lost).toBe("lost");
  const [run] = await client.terminal.jobs({ kind: "run", running: true });
  await writeFile(file, "");
  const found = await call("agent_wait", { run_id: run?.jobId });
  expect(found.structuredContent).toMatchObject({ status: "done", text: "Seen.", runId: run?.jobId });

  model.script({ tools: [execute("sleep 73.5")] });
  const runId = crypto.randomUUID();
  for await (const event of client.agent.stream("Sleep.", { runId })) if (event.type === "tool_call") break;
  const canceled = await call("agent_cancel", { run_id: runId });
  expect(canceled.structuredContent).toMatchObject({ outcome: "canceled", runId });
  expect(await runningJobs()).toEqual([]);
});

it("tells a client that asks how far the run is, and answers with a handle when the client would wait no longer", async () => {
  const { cluster, model, apiKey } = world();
  const impatient = await connectMcp(
    { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "ai") },
    ["--wait", "8s"],
  );
  const file = path.join(cluster.directory, "long");
  model.script({ tools: [execute(`until test -e ${file}; do sleep 0.1; done`)] }, { text: "At last." });
  const told: string[] = [];
  const onprogress = ({ message }: { message?: string | undefined }) => void told.push(message ?? "");
  const result = await impatient.callTool(
    { name: "agent_run", arguments: { prompt: "Take your time." } },
    { onprogress },
  );
  expect(result.structuredContent).toMatchObject({ status: "running", outcome: null, toolCalls: 1 });
  expect(told.at(-1)).toMatch(/^\d+ s: > execute \{"command":"until test/);
  await impatient.close();
  const { runId } = handleSchema.parse(result).structuredContent;
  await writeFile(file, "");
  const end = await call("agent_wait", { run_id: runId });
  expect(end.structuredContent).toMatchObject({ status: "done", outcome: "completed", text: "At last." });
});
