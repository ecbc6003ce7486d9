import { mkdtemp, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import type { AskedTool, ModelCall, Reply } from "./support/model-server.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

const world = useAgentWorld();

const start = (...program: string[]): AskedTool => ({ name: "session_start", arguments: { program } });

/** Asks for a tool with the id of the run's newest session. */
const inLastSession =
  (name: string, more: object = {}) =>
  ({ said }: ModelCall): Reply => {
    const sessionId = [...said.matchAll(/sessionId ([0-9a-f-]{36})/g)].at(-1)?.[1];
    return { tools: [{ name, arguments: { sessionId, ...more } }] };
  };

describe("a session of a run", () => {
  it("is typed into, waited for and seen as a person would, until it is closed", async () => {
    const { client, model } = world();
    const script = 'printf "name? "; read name; printf "\\033[2J\\033[Hhello, %s\\n" "$name"; sleep 600';
    model.script(
      { tools: [start("/bin/sh", "-c", script)] },
      inLastSession("session_screen", { waitFor: "name?" }),
      inLastSession("session_type", { text: "Ada\r", waitFor: "hello, Ada" }),
      inLastSession("session_screen", { waitFor: "good bye", waitMs: 1 }),
      inLastSession("session_close"),
      inLastSession("session_screen"),
      { text: "It said hello." },
    );
    const { toolCalls } = await client.agent.run("Answer the program.");
    const [begun, asked, typed, missing, closed, gone] = toolCalls;
    expect(begun).toMatchObject({ ok: true, output: expect.stringContaining(`sessionId ${begun?.jobId}`) });
    expect(asked).toMatchObject({ ok: true, output: expect.stringContaining("name?") });
    expect(typed?.output).toMatch(/<data-[\w-]+>\nhello, Ada\n<\/data-/);
    expect(missing).toMatchObject({
      ok: false,
      output: expect.stringMatching(/^"good bye" has not come on the screen\.\n/),
    });
    expect(closed).toMatchObject({ ok: true, output: "closed" });
    expect(gone).toMatchObject({ ok: false, output: expect.stringMatching(/^JobUnknown: /) });
  });

  it("promise 9: ends with its run; one that could not be started, or has ended, is told", async () => {
    const { client, model, cluster } = world();
    const pidFile = path.join(await mkdtemp(path.join(cluster.directory, "sessions-")), "pid");
    const pid = async () => Number(await readFile(pidFile, "utf8").catch(() => ""));
    model.script(
      { tools: [start("/no/such/program")] },
      { tools: [start("/bin/sh", "-c", "read line; exit 3")] },
      inLastSession("session_type", { text: "\r", waitFor: "what never comes" }),
      { tools: [start("/bin/sh", "-c", `echo $$ > ${pidFile}; exec sleep 600`)] },
      async () => {
        await waitUntil(async () => (await pid()) > 0);
        return { text: "Left open." };
      },
    );
    const { toolCalls } = await client.agent.run("Start some.");
    expect(toolCalls).toMatchObject([
      { ok: false, output: expect.stringContaining("The session has ended: failed_to_start") },
      { ok: true },
      { ok: false, output: expect.stringContaining("The session has ended: exit code 3.") },
      { ok: true },
    ]);
    expect(isAlive(await pid())).toBe(false);
  });

  it("promise 9: a run has a bounded number of them, and none but its own", async () => {
    const { client, model } = world();
    await using other = await client.terminal.create({ shell: ["/bin/sh"] });
    const many = Array.from({ length: 4 }, () => start("/bin/cat"));
    model.script(
      { tools: many },
      { tools: [start("/bin/cat")] },
      { tools: [{ name: "session_type", arguments: { sessionId: other.sessionId, text: "exit\r" } }] },
      { text: "Enough." },
    );
    const { toolCalls } = await client.agent.run("Start many.");
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, true, true, true, false, false]);
    expect(toolCalls[4]?.output).toMatch(/^LimitExceeded: .*session_close/);
    expect(toolCalls[5]?.output).toMatch(/^JobUnknown: /);
    expect(await client.terminal.jobs({ running: true })).toMatchObject([{ jobId: other.sessionId }]);
  });
});
