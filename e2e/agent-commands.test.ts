import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import type { ModelCall, Reply } from "./support/model-server.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const execute = (command: string, more: object = {}) => ({
  name: "execute",
  arguments: { command, ...more },
});

/** What the model was told last. */
const lastTold = ({ body }: ModelCall): string => String(body.messages.at(-1)?.content);

/** Asks for a tool with the id of the job that the model was just told of. */
const forThatJob =
  (name: string, more: object = {}, before: () => Promise<unknown> = async () => undefined) =>
  async (call: ModelCall): Promise<Reply> => {
    const [, jobId] = /as jobId ([0-9a-f-]{36})/.exec(lastTold(call)) ?? [];
    await before();
    return { tools: [{ name, arguments: { jobId, ...more } }] };
  };

async function files(...names: string[]): Promise<string[]> {
  const directory = await mkdtemp(path.join(world().cluster.directory, "commands-"));
  return names.map((name) => path.join(directory, name));
}

/** The process that has written its number into a file. */
async function pidIn(file: string): Promise<number> {
  await waitUntil(async () => (await readFile(file, "utf8").catch(() => "")).endsWith("\n"));
  return Number(await readFile(file, "utf8"));
}

describe("a command that takes long", () => {
  it("is looked at again: each look has what came since the one before, the last has the end", async () => {
    const { client, model } = world();
    const [go = ""] = await files("go");
    const command = `echo first; until [ -e ${go} ]; do sleep 0.02; done; echo second; exit 4`;
    model.script(
      { tools: [execute(command, { waitMs: 200 })] },
      forThatJob("wait_command", { waitMs: 0 }),
      forThatJob("wait_command", {}, () => writeFile(go, "")),
      { text: "It came to its end." },
    );
    const { toolCalls } = await client.agent.run("Wait for it.");
    const [started, waited, ended] = toolCalls;
    expect(started).toMatchObject({ ok: true, output: expect.stringMatching(/^still running, as jobId /) });
    expect(started?.output).toContain(started?.jobId);
    expect(waited).toMatchObject({ ok: true, output: expect.stringMatching(/^still running/) });
    expect(ended).toMatchObject({ ok: false, output: expect.stringMatching(/^exit code 4\n/) });
    expect(ended?.output).toContain("second");
    // Whichever look it came in time for, it is told once.
    expect(
      toolCalls
        .map(({ output }) => output)
        .join("\n")
        .match(/^first$/gm),
    ).toHaveLength(1);
    expect((await client.terminal.resume(started?.jobId ?? "")).stdout).toBe("first\nsecond\n");
  });

  it("is ended when the model wants it, and known no more then", async () => {
    const { client, model } = world();
    const [pidFile = ""] = await files("pid");
    let jobId = "";
    model.script(
      { tools: [execute(`echo $$ > ${pidFile}; sleep 600 & wait`, { waitMs: 0 })] },
      async (call) => {
        [, jobId = ""] = /as jobId ([0-9a-f-]{36})/.exec(lastTold(call)) ?? [];
        await pidIn(pidFile);
        return { tools: [{ name: "cancel_command", arguments: { jobId } }] };
      },
      () => ({ tools: [{ name: "wait_command", arguments: { jobId } }] }),
      { text: "Ended." },
    );
    const { toolCalls } = await client.agent.run("End it.");
    expect(toolCalls.slice(1)).toMatchObject([
      { ok: true, output: expect.stringMatching(/^canceled: /) },
      { ok: false, output: expect.stringMatching(/^JobUnknown: /) },
    ]);
    expect(isAlive(await pidIn(pidFile))).toBe(false);
  });

  it("promise 9: ends with its run, also where the model forgets it", async () => {
    const { client, model } = world();
    const [pidFile = ""] = await files("pid");
    model.script(
      { tools: [execute(`trap "" TERM; echo $$ > ${pidFile}; sleep 600 & wait`, { waitMs: 0 })] },
      async () => {
        expect(isAlive(await pidIn(pidFile))).toBe(true);
        return { text: "I am done." };
      },
    );
    const { text, toolCalls } = await client.agent.run("Start it.");
    expect(text).toBe("I am done.");
    expect(isAlive(await pidIn(pidFile))).toBe(false);
    const job = await client.terminal.resume(toolCalls[0]?.jobId ?? "");
    expect(job.outcome).toBe("canceled");
  });

  it("promise 5: no job is looked at or ended but those of this run", async () => {
    const { client, model } = world();
    const { jobId } = await client.terminal.execute("sleep 600", { waitMs: 1 });
    model.script(
      {
        tools: [
          { name: "wait_command", arguments: { jobId } },
          { name: "cancel_command", arguments: { jobId } },
        ],
      },
      { text: "I may not." },
    );
    const { toolCalls } = await client.agent.run("End that.");
    const unknown = { ok: false, output: expect.stringMatching(/^JobUnknown: /) };
    expect(toolCalls).toMatchObject([unknown, unknown]);
    expect(await client.terminal.jobs({ running: true })).toMatchObject([{ jobId }]);
    await client.terminal.cancel(jobId);
  });

  it("promise 9: a run holds a bounded number of them", async () => {
    const { client, model } = world();
    const eight = Array.from({ length: 8 }, () => execute("sleep 600", { waitMs: 0 }));
    model.script({ tools: eight }, { tools: eight }, { tools: eight.slice(0, 1) }, { text: "Enough." });
    const { toolCalls } = await client.agent.run("Start many.");
    expect(toolCalls.map(({ ok }) => ok)).toEqual([...Array.from({ length: 16 }, () => true), false]);
    expect(toolCalls.at(-1)?.output).toMatch(/^LimitExceeded: .*wait_command/);
    expect(await client.terminal.jobs({ running: true })).toEqual([]);
  });
});
