import path from "node:path";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { useAgentWorld } from "../support/agent-world.ts";
import { connectMcp } from "../support/mcp-client.ts";
import type { ModelCall, Reply } from "../support/model-server.ts";

const world = useAgentWorld();

let mcp: Client;
beforeAll(async () => {
  const { cluster, apiKey } = world();
  mcp = await connectMcp({ CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "ai") });
});
afterAll(() => mcp.close());

const answer = z.object({
  structuredContent: z.object({
    stdout: z.string(),
    stderr: z.string(),
    jobId: z.uuid(),
    truncated: z.boolean(),
  }),
});

/** What an AI over MCP reads of a command. */
async function overMcp(name: string, args: Record<string, unknown>) {
  return answer.parse(await mcp.callTool({ name, arguments: args })).structuredContent;
}

const asks = (name: string, args: object): Reply => ({ tools: [{ name, arguments: args }] });

/** What the model of a run was told by its tools. */
const told = ({ body }: ModelCall): string => String(body.messages.at(-1)?.content);

/** What the model of a run reads of a command. */
async function inARun(command: string): Promise<string> {
  const { client, model } = world();
  model.script(asks("execute", { command }), { text: "Seen." });
  const { toolCalls } = await client.agent.run("Look.");
  return (toolCalls[0]?.output ?? "").replaceAll(/<\/?data-[\w-]+>\n?/g, "");
}

/** A program's output in a loop of sh, `times` over. */
const repeated = (print: string, times: number): string =>
  `i=0; while [ $i -lt ${times} ]; do i=$((i+1)); ${print}; done`;

describe.each([
  ["an AI over MCP", async (command: string) => (await overMcp("terminal_execute", { command })).stdout],
  [
    "the model of a run",
    async (command: string) => (await inARun(command)).replace(/^exit code 0\n/, "").replace(/\n$/, ""),
  ],
])("%s", (_who, read) => {
  it("reads a bar of progress as its last state: 'my context was full of percentages'", async () => {
    const output = await read(`${repeated("printf '\\rDownloading %d%%' $i", 3_000)}; echo; echo saved`);
    expect(output.trim()).toBe("Downloading 3000%\nsaved");
  });

  it("reads no colours, titles, links and spinners: 'the output is full of [0m'", async () => {
    const command = String.raw`printf '\033]0;build\007\033[1;32m✓\033[0m \033]8;;http://x\033\\ok\033]8;;\033\\\033[K |\b/\b-\b \r\n\033(Bend\n'`;
    expect((await read(command)).trim()).toBe("✓ ok\nend");
  });

  it("reads a line that comes eight hundred times once: 'it drowned in warnings'", async () => {
    const output = await read(`${repeated("echo 'warning: deprecated option'", 813)}; echo built`);
    expect(output.trim()).toBe("warning: deprecated option\n[the line above, 812 more times]\nbuilt");
  });

  it("reads plain text as it is, tabs and line ends of Windows too", async () => {
    expect(await read(String.raw`printf 'a\tb  \r\n  zwölf €\n\nend\n'`)).toBe("a\tb  \n  zwölf €\n\nend\n");
  });
});

describe("the error in the middle of a long log", () => {
  const log = "seq 1 20000; echo 'THE ERROR'; seq 20001 40000";

  it("is found over MCP where the note says", async () => {
    const { stdout, jobId, truncated } = await overMcp("terminal_execute", { command: log });
    expect(truncated).toBe(true);
    expect(stdout).toMatch(/^1\n2\n[\s\S]*\n40000\n$/);
    const [, bytes = "", lines = "", id, after = ""] =
      /\[… (\d+) bytes in (\d+) lines left out: terminal_wait with job_id ([\w-]+) and after (\d+) shows it …\]/.exec(
        stdout,
      ) ?? [];
    expect(id).toBe(jobId);
    const rest = await overMcp("terminal_wait", { job_id: jobId, after: Number(after) });
    // It goes on with the very next line.
    expect(stdout).toContain(`\n${Number(rest.stdout.split("\n")[0]) - 1}\n[…`);
    expect(Number(lines)).toBeGreaterThan(30_000);
    expect(Number(bytes)).toBeGreaterThan(190_000);
  });

  it("is read by a run, page by page, also once the command has ended", async () => {
    const { client, model } = world();
    const pages: string[] = [];
    const next = (call: ModelCall): Reply => {
      const [, jobId = "", offset = ""] = /jobId ([\w-]+) and offset (\d+)/.exec(told(call)) ?? [];
      const [, further] = /go on with offset (\d+)/.exec(told(call)) ?? [];
      if (jobId !== "") known = jobId;
      else pages.push(told(call));
      if (told(call).includes("THE ERROR")) return { text: "Found it." };
      return asks("wait_command", { jobId: known, offset: Number(further ?? offset) });
    };
    let known = "";
    model.always((call) =>
      call.body.messages.at(-1)?.role === "tool" ? next(call) : asks("execute", { command: log }),
    );
    expect((await client.agent.run("Find it.")).text).toBe("Found it.");
    const numbers = pages.join("").match(/^\d+$/gm)?.map(Number) ?? [];
    expect(pages.length).toBeGreaterThan(2);
    // Whole pages one behind the other; a number that a page cuts is in two parts.
    expect(numbers.filter((number) => number === 12_345)).toHaveLength(1);
  });
});
