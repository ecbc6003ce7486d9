import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { agentStateDir } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "./support/agent-world.ts";
import { CMDOP_MAIN, runCmdop } from "./support/cmdop-process.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const execute = (command: string) => ({ name: "execute", arguments: { command } });
const answer = (value: object) => ({ text: JSON.stringify(value) });

const SCHEMA = {
  type: "object",
  properties: { disks: { type: "integer" } },
  required: ["disks"],
  additionalProperties: false,
};

const lineSchema = z.object({
  runId: z.uuid(),
  outcome: z.string(),
  text: z.string(),
  output: z.unknown(),
  steps: z.number(),
  toolCalls: z.array(z.object({ tool: z.string(), ok: z.boolean() })),
  error: z.object({ code: z.string() }).optional(),
});

function environment(apiKey = world().apiKey): Record<string, string> {
  return { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(world().cluster.directory, "caller") };
}

const cmdop = (...args: readonly string[]) => runCmdop(args, environment());

/** The id of a run out of what `cmdop run` has said. */
const runIdIn = (stderr: string): string => /, run ([0-9a-f-]{36})\n/.exec(stderr)?.[1] ?? "none";

async function schemaFile(content: string): Promise<string> {
  const file = path.join(world().cluster.directory, `schema-${crypto.randomUUID()}.json`);
  await writeFile(file, content);
  return file;
}

describe("cmdop run", () => {
  it("shows what the agent does on stderr and prints its answer alone", async () => {
    world().model.script(
      { tools: [execute("echo 'two disks'; exit 3")], text: "I look first." },
      { text: "There are\ntwo." },
    );
    const { exitCode, stdout, stderr } = await cmdop("run", "web-1", "How many disks?");
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "There are\ntwo.\n" });
    const [begun, said, called, result, ...rest] = stderr.trimEnd().split("\n");
    expect(begun).toMatch(/^terminal agent with openai-compatible:scripted, run [0-9a-f-]{36}$/);
    expect(said).toBe("I look first.");
    expect(called).toMatch(/^> execute \{"command":"echo 'two disks'; exit 3"\}$/);
    expect(result).toMatch(/^< execute .*two disks/);
    expect(rest).toEqual([]);
  });

  it("promise 9: what models and tools say can't steer the terminal", async () => {
    world().model.script(
      { tools: [execute("printf '\\033[2Jcleared'")], text: "\u001b]0;title\u0007" },
      { text: "done\u001b[31m\u202e" },
    );
    const { stdout, stderr } = await cmdop("run", "web-1", "Go on.");
    expect(stdout).toBe("done\\u{1b}[31m\\u{202e}\n");
    expect(stderr).toContain("\\u{1b}]0;title\\u{7}");
    expect(stderr).toMatch(/cleared/);
    expect(`${stdout}${stderr}`).not.toMatch(/[\p{Cf}]|(?!\n)\p{Cc}/u);
  });

  it("--schema: the typed output is one line of JSON, which says the same to a program", async () => {
    const file = await schemaFile(JSON.stringify(SCHEMA, null, 2));
    world().model.script(answer({ disks: 2 }));
    const { exitCode, stdout } = await cmdop("run", "web-1", "How many disks?", "--schema", file);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '{"disks":2}\n' });
  });

  it("--json: one line has all that there is to know", async () => {
    world().model.script({ tools: [execute("true")] }, { text: "fine \u009b" });
    const { exitCode, stdout } = await cmdop("run", "web-1", "Look.", "--type", "command", "--json");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^[^\n\u009b]+\n$/);
    expect(lineSchema.parse(JSON.parse(stdout))).toMatchObject({
      outcome: "completed",
      output: "fine \u009b",
      steps: 2,
      toolCalls: [{ tool: "execute", ok: true }],
    });
  });

  it.each([
    ["no JSON", "{"],
    ["no object's schema", '{"type": "array"}'],
    ["no JSON object", "[]"],
    ["a type that there is not", '{"type": "object", "properties": {"a": {"type": "number of disks"}}}'],
  ])("a schema file with %s is refused before anything is sent", async (_title, content) => {
    // A relay that nobody can reach: whoever sends anything fails otherwise.
    const env = { ...environment(), CMDOP_RELAY: "127.0.0.1:1" };
    const args = ["run", "web-1", "Go.", "--schema", await schemaFile(content)];
    const { exitCode, stderr } = await runCmdop(args, env);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error: The .*schema .*can't be used: .+\nnext: .+JSON Schema/);
  });

  it.each([
    ["no prompt", ["run", "web-1"]],
    ["several prompts", ["run", "web-1", "look", "around"]],
    ["an unknown type", ["run", "web-1", "look", "--type", "poet"]],
    ["no number of steps", ["run", "web-1", "look", "--max-steps", "many"]],
    ["a schema that is not there", ["run", "web-1", "look", "--schema", "/nowhere.json"]],
  ])("%s exits with 2 and a hint", async (_title, args) => {
    const { exitCode, stderr } = await cmdop(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error: .+\n.+/);
  });

  it("promise 1: a run without its answer says why, with an exit code that tells", async () => {
    world().model.always({ tools: [execute("true")] });
    const args = ["run", "web-1", "For ever.", "--max-steps", "2", "--json"];
    const { exitCode, stdout, stderr } = await cmdop(...args);
    expect(exitCode).toBe(1);
    // With --json every line is JSON.
    const said = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const error = {
      code: "BudgetSpent",
      message: expect.stringContaining("maxSteps"),
      next: expect.any(String),
    };
    expect(said).toContainEqual({ note: "the run failed" });
    expect(said).toContainEqual({ error });
    expect(stderr).toContain("cmdop logs web-1 ");
    expect(lineSchema.parse(JSON.parse(stdout))).toMatchObject({
      outcome: "failed",
      output: null,
      steps: 2,
      error: { code: "BudgetSpent" },
    });
  });

  it("--timeout ends the run with 124", async () => {
    world().model.script({ silentAfter: "Let me" });
    const { exitCode, stderr } = await cmdop("run", "web-1", "Think.", "--timeout", "1s");
    expect(exitCode).toBe(124);
    expect(stderr).toContain("ran into its time limit");
  });

  it("Ctrl-C cancels the run with what it has started, and waits for the end", async () => {
    const { client, model, cluster } = world();
    const file = path.join(cluster.directory, "pid");
    model.script({ tools: [execute(`echo $$ > ${file}; sleep 71.5`)] });
    await using near = await client.terminal.create({
      shell: [process.execPath, CMDOP_MAIN, "run", "web-1", "Sleep."],
      env: environment(),
    });
    await near.waitFor("> execute");
    await waitUntil(async () =>
      (await client.terminal.jobs({ kind: "exec", running: true })).some(({ command }) =>
        command.includes("71.5"),
      ),
    );
    await near.sendInput("\x03");
    expect(await near.wait()).toMatchObject({ exitCode: 130 });
    expect(await near.getHistory()).toContain("cmdop: the run was canceled");
    const left = await client.terminal.jobs({ running: true });
    expect(left.filter(({ kind }) => kind !== "session")).toEqual([]);
  });
});

describe("cmdop logs of a run", () => {
  it("shows the plan, its steps and every tool afterwards", async () => {
    world().model.script(
      answer({ steps: ["look at the disk"] }),
      { tools: [execute("echo looked")] },
      answer({ done: true, report: "it has room" }),
      { text: "All is well." },
    );
    const ran = await cmdop("run", "web-1", "Is all well?", "--type", "planner");
    const logs = await cmdop("logs", "web-1", runIdIn(ran.stderr));
    expect(logs).toEqual({ exitCode: 0, stdout: "All is well.\n", stderr: ran.stderr });
    expect(logs.stderr).toMatch(
      /plan: 1\. look at the disk\nstep 1 begun\n> execute .*echo looked.*\n< execute .*looked\nstep 1 done: it has room\n/,
    );
  });

  it("shows the choice and every tool afterwards, and the answer alone with --stdout", async () => {
    world().model.script(
      answer({ agentType: "command", reason: "one is enough" }),
      { tools: [execute("echo seen")] },
      { text: "It is web-1." },
    );
    const ran = await cmdop("run", "web-1", "What is it?", "--type", "router");
    expect(ran.exitCode).toBe(0);
    const runId = runIdIn(ran.stderr);
    const logs = await cmdop("logs", "web-1", runId);
    expect(logs).toEqual({ exitCode: 0, stdout: ran.stdout, stderr: ran.stderr });
    expect(logs.stderr).toContain("chosen: command (one is enough)\n");
    expect(logs.stderr).toMatch(/> execute .+\n< execute .*seen/);
    const short = await cmdop("logs", "web-1", runId.slice(0, 13), "--stdout", "--follow");
    expect(short).toEqual({ exitCode: 0, stdout: "It is web-1.\n", stderr: "" });
  });

  it("a key for agents alone can run, look again and cancel; it gets no tools", async () => {
    const { cluster, model } = world();
    const { apiKey } = await cluster.createKey({ scopes: ["agent"], machines: ["web-1"] });
    model.script({ text: "Hello." });
    const ran = await runCmdop(["run", "web-1", "Say hello."], environment(apiKey));
    expect(ran).toMatchObject({ exitCode: 0, stdout: "Hello.\n" });
    expect(model.calls[0]?.body.tools).toEqual([]);
    const logs = await runCmdop(["logs", "web-1", runIdIn(ran.stderr)], environment(apiKey));
    expect(logs).toMatchObject({ exitCode: 0, stdout: "Hello.\n" });
  });

  it("a run that goes on is shown as far as it has come; with --follow to its end and exit code", async () => {
    const { client, model, cluster } = world();
    const file = path.join(cluster.directory, "go-on");
    model.script(
      { tools: [execute(`until test -e ${file}; do sleep 0.05; done`)] },
      { status: 401, error: "no" },
    );
    const runId = crypto.randomUUID();
    for await (const event of client.agent.stream("Wait.", { runId })) if (event.type === "tool_call") break;
    const now = await cmdop("logs", "web-1", runId);
    expect(now).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("> execute") });
    expect(now.stderr).not.toContain("< execute");
    await writeFile(file, "");
    const end = await cmdop("logs", "web-1", runId, "--follow");
    expect(end).toMatchObject({ exitCode: 1, stdout: "" });
    expect(end.stderr).toMatch(/< execute .*\ncmdop: the run failed\nerror: .+401.+\nnext: /);
  });
});

describe("cmdop model test", () => {
  const onMachine = (...args: readonly string[]) =>
    runCmdop(["model", "test", ...args], { CMDOP_HOME: world().machine.home });

  it("asks the machine's model through its socket, and says which it is and how long it took", async () => {
    world().model.script({ text: "ready" }, { text: "ready" });
    const { exitCode, stdout } = await onMachine();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^openai-compatible:scripted answers after \d+ ms: ready\n$/);
    expect(await cmdop("model", "test", "web-1")).toMatchObject({ exitCode: 0 });
  });

  it("says what is wrong where the provider refuses", async () => {
    world().model.script({ status: 401, error: "that is no key" });
    const { exitCode, stdout, stderr } = await onMachine("--json");
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      model: "openai-compatible:scripted",
      error: { code: "ModelFailed" },
    });
    const { error } = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
    expect(error.message).toMatch(/401.*that is no key/);
    expect(error.next).toMatch(/^Check the machine's model/);
  });

  it("without a model says exactly what to set, and so does run", async () => {
    const { machine, model } = world();
    await rm(path.join(agentStateDir(machine.home), "model.json"));
    try {
      for (const { exitCode, stderr } of [await onMachine(), await cmdop("run", "web-1", "Go.")]) {
        expect(exitCode).not.toBe(0);
        expect(stderr).toMatch(/error: This machine has no model.+\nnext: +Set CMDOP_MODEL=provider:model/);
      }
    } finally {
      await model.serve(machine.home);
    }
  });

  it("where no agent runs says so", async () => {
    const { exitCode, stderr } = await runCmdop(["model", "test"], environment());
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: .+\nnext: .+/);
  });
});
