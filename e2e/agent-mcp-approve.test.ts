import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import {
  type AskingClient,
  legacyClient,
  modernClient,
  type Person,
  rawModernClient,
  type Said,
} from "./support/asking-client.ts";
import { connectMcp } from "./support/mcp-client.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const fresh = (): string => path.join(world().cluster.directory, randomUUID());
const write = (file: string) => ({ name: "write_file", arguments: { path: file, content: "new\n" } });
const noFile = (file: string) => expect(readFile(file)).rejects.toThrow("ENOENT");
const runningRuns = () => world().client.terminal.jobs({ kind: "run", running: true });

function environment(): Record<string, string> {
  const { apiKey, cluster } = world();
  return { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "ai") };
}

const questionsSchema = z.object({
  runId: z.uuid(),
  status: z.literal("asking"),
  questions: z.array(
    z.object({ callId: z.string(), tool: z.string(), what: z.string(), until: z.iso.datetime() }),
  ),
});

const yes: Said = { action: "accept", content: { allow: true } };

describe.each([
  ["of 2026 (2.x)", modernClient],
  ["of 2025 (1.x)", legacyClient],
] as const)("a client %s that can ask its person", (_title, connect) => {
  const connected = (person: Person): Promise<AskingClient> => connect(environment(), person);

  it("asks them, with exactly what is about to be done; yes lets it", async () => {
    const [first, second] = [fresh(), fresh()];
    world().model.script({ tools: [write(first), write(second)] }, { text: "Done." });
    const shown: string[] = [];
    await using client = await connected(async (message) => {
      shown.push(message);
      // Nothing is done before the word.
      await noFile(shown.length === 1 ? first : second);
      return yes;
    });
    const { structuredContent } = await client.call("agent_run", { prompt: "Write.", approve: "writes" });
    expect(structuredContent).toMatchObject({ status: "done", outcome: "completed", text: "Done." });
    expect(shown).toEqual(
      [first, second].map((file) =>
        expect.stringMatching(
          `^The agent on web-1 wants to use write_file:\n\npath: ${file}\ncontent: new\\\\n\n\nMay it\\?`,
        ),
      ),
    );
    expect(await Promise.all([first, second].map((file) => readFile(file, "utf8")))).toEqual([
      "new\n",
      "new\n",
    ]);
  });

  it.each<[string, Said, RegExp]>([
    ["a no", { action: "accept", content: { allow: false, reason: "not today" } }, /said no: not today/],
    ["a form that is closed", { action: "cancel" }, /said no\./],
    ["a form that is declined", { action: "decline" }, /said no\./],
  ])("%s is a no", async (_what, said, told) => {
    const file = fresh();
    const { model } = world();
    model.script({ tools: [write(file)] }, { text: "I was not allowed to." });
    await using client = await connected(() => said);
    const { structuredContent } = await client.call("agent_run", { prompt: "Write.", approve: "all" });
    expect(structuredContent).toMatchObject({ status: "done", text: "I was not allowed to." });
    expect(model.calls[1]?.said).toMatch(told);
    await noFile(file);
  });

  it("its model can't say yes in their place, but no", async () => {
    const file = fresh();
    const { client: sdk, model } = world();
    model.script({ tools: [write(file)] }, { text: "I was not allowed to." });
    await using client = await connected(() => yes);
    const { run_id, call_id } = await askingRun();
    const refused = await client.call("agent_approve", { run_id, call_id, answer: "yes" });
    expect(refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^ApprovalRefused: .*\n\nNext: agent_wait puts/) }],
    });
    await client.call("agent_approve", { run_id, call_id, answer: "no", reason: "no need" });
    expect((await sdk.agent.resume(run_id)).text).toBe("I was not allowed to.");
    await noFile(file);
  });

  it("agent_wait asks them for a run that asks", async () => {
    const file = fresh();
    world().model.script({ tools: [write(file)] }, { text: "Done." });
    await using client = await connected(() => yes);
    const { run_id } = await askingRun();
    const { structuredContent } = await client.call("agent_wait", { run_id });
    expect(structuredContent).toMatchObject({ status: "done", text: "Done." });
    expect(await readFile(file, "utf8")).toBe("new\n");
  });
});

/** A run that was started by another program of the same key, and asks. */
async function askingRun(): Promise<{ run_id: string; call_id: string }> {
  const run_id = randomUUID();
  for await (const event of world().client.agent.stream("Write.", { runId: run_id, approve: "all" }))
    if (event.type === "asked") return { run_id, call_id: event.callId };
  throw new Error("it did not ask");
}

it("a client of 2025 that withdraws its call while it asks cancels the run", async () => {
  const file = fresh();
  world().model.script({ tools: [write(file)] });
  const shown = Promise.withResolvers<void>();
  await using client = await legacyClient(environment(), () => {
    shown.resolve();
    return new Promise<Said>(() => undefined);
  });
  const withdraw = new AbortController();
  const call = client.call("agent_run", { prompt: "Write.", approve: "all" }, withdraw.signal);
  const failing = expect(call).rejects.toThrow();
  await shown.promise;
  withdraw.abort();
  await failing;
  await waitUntil(async () => (await runningRuns()).length === 0);
  await noFile(file);
});

describe("promise 5: an answer counts once, for its own question", () => {
  const anySchema = z.looseObject({ requestState: z.string().optional() });

  /** One call as a client of 2026 sends it, with whatever it wants to have been asked. */
  async function send(client: Awaited<ReturnType<typeof rawModernClient>>, params: Record<string, unknown>) {
    const request = { method: "tools/call", params: { arguments: {}, ...params } };
    return client.request(request, anySchema, { allowInputRequired: true });
  }
  const word = { word: { action: "accept", content: { allow: true } } };

  it("forged, replayed and misdirected ones are refused, and nothing is done", async () => {
    const [first, second] = [fresh(), fresh()];
    world().model.script({ tools: [write(first)] }, { tools: [write(second)] }, { text: "One." });
    const client = await rawModernClient(environment());
    try {
      const run = { name: "agent_run", arguments: { prompt: "Write.", approve: "all" } };
      const asked = await send(client, run);
      expect(asked).toMatchObject({ inputRequests: { word: { method: "elicitation/create" } } });
      const { requestState = "" } = asked;
      const refused = {
        isError: true,
        content: [{ text: expect.stringMatching(/^ApprovalRefused: This answer belongs to no question/) }],
      };
      const forged = { ...run, inputResponses: word, requestState: `${requestState.slice(1)}A` };
      expect(await send(client, forged)).toMatchObject(refused);
      await noFile(first);

      const next = await send(client, { ...run, inputResponses: word, requestState });
      expect(next).toMatchObject({ inputRequests: { word: {} } });
      expect(next.requestState).not.toBe(requestState);
      expect(await readFile(first, "utf8")).toBe("new\n");
      expect(await send(client, { ...run, inputResponses: word, requestState })).toMatchObject(refused);

      const other = { name: "agent_run", arguments: { prompt: "Something else.", approve: "all" } };
      const misdirected = { ...other, inputResponses: word, requestState: next.requestState };
      expect(await send(client, misdirected)).toMatchObject(refused);
      await noFile(second);
    } finally {
      await client.close();
    }
    const [run] = await runningRuns();
    await world().client.agent.cancel(run?.jobId ?? "");
  });
});

describe("a client that can't ask its person", () => {
  it("is told what the run wants, answers with agent_approve, and goes on", async () => {
    const [first, second] = [fresh(), fresh()];
    const { model } = world();
    model.script({ tools: [write(first)] }, { tools: [write(second)] }, { text: "One of two." });
    const client = await connectMcp(environment());
    try {
      const call = (name: string, args: Record<string, unknown>) =>
        client.callTool({ name, arguments: args });
      const asking = await call("agent_run", { prompt: "Write.", approve: "writes" });
      const { runId: run_id, questions } = questionsSchema.parse(asking.structuredContent);
      expect(questions).toMatchObject([{ tool: "write_file", what: `path: ${first}\ncontent: new\\n` }]);
      const call_id = questions[0]?.callId ?? "";
      expect(JSON.stringify(asking.content)).toContain(`call_id ${call_id}: write_file`);
      expect(JSON.stringify(asking.content)).toContain("agent_approve says yes or no");
      await noFile(first);

      // A yes is for what was shown: the id has its hash in it.
      const [bare = ""] = call_id.split("@");
      for (const other of [bare, `${bare}@another`]) {
        const refused = await call("agent_approve", { run_id, call_id: other, answer: "yes" });
        expect(refused).toMatchObject({ isError: true });
        await noFile(first);
      }
      const told = await call("agent_approve", { run_id, call_id, answer: "yes" });
      expect(told.structuredContent).toEqual({ runId: run_id, callId: call_id, answer: "yes" });
      const again = await call("agent_approve", { run_id, call_id, answer: "yes" });
      expect(again).toMatchObject({ isError: true });
      expect(JSON.stringify(again.content)).toMatch(
        /ApprovalRefused: Nothing of this run waits.*Next: agent_wait/,
      );

      const next = questionsSchema.parse((await call("agent_wait", { run_id })).structuredContent);
      expect(next.questions).toMatchObject([{ what: `path: ${second}\ncontent: new\\n` }]);
      expect(await readFile(first, "utf8")).toBe("new\n");
      const no = { run_id, call_id: next.questions[0]?.callId, answer: "no", reason: "one is enough" };
      await call("agent_approve", no);
      const end = await call("agent_wait", { run_id });
      expect(end.structuredContent).toMatchObject({ status: "done", text: "One of two.", questions: [] });
      expect(model.calls[2]?.said).toContain("Its caller said no: one is enough");
      await noFile(second);
    } finally {
      await client.close();
    }
  });
});
