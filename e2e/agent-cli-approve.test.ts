import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Session } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import { CMDOP_MAIN, runCmdop } from "./support/cmdop-process.ts";
import { waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const execute = (command: string) => ({ name: "execute", arguments: { command } });
const write = (file: string) => ({ name: "write_file", arguments: { path: file, content: "new\n" } });
const fresh = (): string => path.join(world().cluster.directory, randomUUID());
const noFile = (file: string) => expect(readFile(file)).rejects.toThrow("ENOENT");

function environment(): Record<string, string> {
  const { apiKey, cluster } = world();
  return { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
}

/** `cmdop run --approve` as a person has it before them. */
function atTerminal(...args: readonly string[]): Promise<Session> {
  const shell = [process.execPath, CMDOP_MAIN, "run", "web-1", "Work.", ...args];
  return world().client.terminal.create({ shell, env: environment(), cols: 200 });
}

/** Waits until so many questions have been shown. */
function questions(near: Session, count: number): Promise<void> {
  return waitUntil(async () => (await near.getHistory()).split("Allow it?").length === count + 1);
}

describe("cmdop run --approve", () => {
  it("shows exactly what the tool is about to do; yes lets it, and nothing is done before", async () => {
    const file = fresh();
    world().model.script({ tools: [execute(`touch ${file} \u202e# \u001b[2J`)] }, { text: "Done." });
    await using near = await atTerminal("--approve", "commands");
    await near.waitFor("Allow it? [y/N] ");
    const asked = await near.getHistory();
    expect(asked).toContain("execute on web-1 waits for your answer until 20");
    expect(asked).toContain(`\n  command: touch ${file} \\u{202e}# \\u{1b}[2J\n`);
    await noFile(file);
    await near.sendInput("y\r");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    expect(await readFile(file, "utf8")).toBe("");
    expect(await near.getHistory()).toMatch(/answered: yes\n< execute says: exit code 0.*\nDone\.$/);
  });

  it.each(["n", "", "yess", "yes, but"])("%j is a no, and the model is told why", async (typed) => {
    const file = fresh();
    const { model } = world();
    model.script({ tools: [write(file)] }, { text: "I was not allowed to." });
    await using near = await atTerminal("--approve", "writes");
    await near.waitFor("Allow it? [y/N] ");
    await near.sendInput(`${typed}\r`);
    await near.waitFor("Why not?");
    await near.sendInput("not this file\r");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    await noFile(file);
    expect(model.calls[1]?.said).toMatch(/ApprovalRefused: .*Its caller said no: not this file/);
  });

  it("what is typed before a question is no answer to it; several are asked one after the other", async () => {
    const [first, second] = [fresh(), fresh()];
    const gate = Promise.withResolvers<void>();
    world().model.script(
      async () => {
        await gate.promise;
        return { tools: [write(first), write(second)] };
      },
      { text: "One of two." },
    );
    await using near = await atTerminal("--approve", "all");
    await near.waitFor("terminal agent with");
    await near.sendInput("y\ry\r");
    await near.waitFor(/y\n+y\n/);
    gate.resolve();
    await questions(near, 1);
    await Promise.all([noFile(first), noFile(second)]);
    // The second y comes with the first: it was typed before the second question was shown.
    await near.sendInput("y\ry\r");
    await waitUntil(async () => (await readFile(first, "utf8").catch(() => "")) === "new\n");
    await questions(near, 2);
    await noFile(second);
    await near.sendInput("\x04");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    await noFile(second);
  });

  it("Ctrl-C while it asks cancels the run", async () => {
    const file = fresh();
    const { client, model } = world();
    model.script({ tools: [write(file)] });
    await using near = await atTerminal("--approve", "all");
    await near.waitFor("Allow it?");
    await near.sendInput("\x03");
    expect(await near.wait()).toMatchObject({ exitCode: 130 });
    expect(await near.getHistory()).toContain("cmdop: the run was canceled");
    await noFile(file);
    const left = await client.terminal.jobs({ running: true });
    expect(left.filter(({ kind }) => kind !== "session")).toEqual([]);
  });

  it("an answer from elsewhere takes the question off the screen", async () => {
    const file = fresh();
    const { client, model } = world();
    model.script({ tools: [write(file)] }, { text: "Done." });
    await using near = await atTerminal("--approve", "all");
    await near.waitFor("Allow it?");
    const [, runId = ""] = /, run ([0-9a-f-]{36})/.exec(await near.getHistory()) ?? [];
    for await (const event of client.agent.resumeStream(runId)) {
      if (event.type !== "asked") continue;
      await client.agent.approve(runId, event, "yes");
      break;
    }
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    expect(await near.getHistory()).toMatch(/this question is no longer open\nanswered: yes\n/);
  });

  it("--json: standard output has its one line and nothing else", async () => {
    const file = fresh();
    const printed = fresh();
    world().model.script({ tools: [write(file)] }, { text: "Done." });
    const { client } = world();
    const args = [process.execPath, CMDOP_MAIN, "run", "web-1", "Work.", "--approve", "all", "--json"];
    const line = `${args.map((arg) => `'${arg}'`).join(" ")} > ${printed}`;
    await using near = await client.terminal.create({ shell: ["/bin/sh", "-c", line], env: environment() });
    await near.waitFor("Allow it?");
    await near.sendInput("yes\r");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    const text = await readFile(printed, "utf8");
    expect(text.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(text)).toMatchObject({ outcome: "completed", toolCalls: [{ ok: true }] });
  });

  it("without a terminal it fails at once, and says what else there is", async () => {
    world().model.script();
    const { exitCode, stderr } = await runCmdop(["run", "web-1", "Work.", "--approve", "all"], environment());
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error: --approve asks at the terminal.+\n.*cmdop approvals/);
    expect(world().model.calls).toEqual([]);
  });
});
