/**
 * The main job, once, for a newcomer to watch: an operator, a relay and a machine
 * as separate processes in a temporary home, and a real MCP client that drives
 * the machine through them. Exits with 0 only when every step did what it should.
 */
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { cmdopHome } from "@cmdop/sdk";
import type { Client } from "@modelcontextprotocol/client";
import { mcpServerBlock, pasteText } from "../cli/src/mcp/config.ts";
import { Cluster } from "./support/cluster.ts";
import { connectMcp } from "./support/mcp-client.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs one step and says how long it took. */
async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  say(`\n▸ ${title}  (${(performance.now() - startedAt).toFixed(1)} ms)`);
  return result;
}

/** Shows a tool's text as a client's model would read it. */
function show(text: string): void {
  say(text.trimEnd().replaceAll(/^/gm, "    "));
}

function expect(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
}

async function callTool(client: Client, name: string, args: Record<string, unknown>): Promise<ToolAnswer> {
  const result = await client.callTool({ name, arguments: args });
  const texts = result.content.map((part) => (part.type === "text" ? part.text : `[${part.type}]`));
  const { structuredContent } = result;
  const structured =
    typeof structuredContent === "object" && structuredContent !== null ? { ...structuredContent } : {};
  return { isError: result.isError ?? false, text: texts.join("\n"), structured };
}

/** Calls a tool as one step: title, timing and answer. */
async function tool(client: Client, name: string, args: Record<string, unknown>): Promise<ToolAnswer> {
  const answer = await step(`${name} ${JSON.stringify(args)}`, () => callTool(client, name, args));
  show(answer.text);
  return answer;
}

async function main(): Promise<void> {
  say("cmdop demo: MCP client → cmdop mcp → relay → agent → a real process, and back.");
  await using cluster = await step("an operator makes an owner key; a relay starts", () => Cluster.start());
  say(`    relay ${cluster.relayId.slice(0, 12)}… at ${cluster.relayAddress}, pid ${cluster.relay.pid}`);
  const machine = await step("a machine joins with a single-use token; its agent dials out", () =>
    cluster.addMachine("demo"),
  );
  say(`    machine demo is ${machine.id.slice(0, 12)}…, pid ${machine.process.pid}`);
  const scopes = ["terminal", "files:read", "files:write", "machines:read"];
  const { apiKey } = await step(`the operator makes an API key: ${scopes.join(", ")}`, () =>
    cluster.createKey({ name: "demo", scopes, machines: ["demo"] }),
  );
  const home = path.join(cluster.directory, "ai");
  const client = await step("an MCP client starts cmdop mcp over stdio", () =>
    connectMcp({ CMDOP_HOME: home, CMDOP_API_KEY: apiKey }),
  );
  try {
    await drive(client, path.join(cluster.directory, "notes"));
  } finally {
    await client.close();
  }
  const reader = await step("another client, with a key that may only read files", async () => {
    const { apiKey: weak } = await cluster.createKey({
      name: "reader",
      scopes: ["files:read"],
      machines: ["demo"],
    });
    return connectMcp({ CMDOP_HOME: home, CMDOP_API_KEY: weak });
  });
  try {
    const refused = await tool(reader, "terminal_execute", { command: "id" });
    expect("a key without the scope", refused.isError, true);
  } finally {
    await reader.close();
  }
  say("\nEvery step did what it should.\n");
  say("For your own machine: run bin/cmdop up, leave it running, and paste one of these.\n");
  say(pasteText(mcpServerBlock(cmdopHome())));
}

async function drive(client: Client, directory: string): Promise<void> {
  const { tools } = await step("the client lists the tools", () => client.listTools());
  show(tools.map(({ name, title }) => `${name.padEnd(18)} ${title ?? ""}`).join("\n"));

  const good = await tool(client, "terminal_execute", { command: "echo Hello from $(uname -s)" });
  expect("exit code", good.structured.exitCode, 0);
  const bad = await tool(client, "terminal_execute", { command: "echo this went wrong >&2; exit 3" });
  expect("exit code", bad.structured.exitCode, 3);
  expect("stderr", bad.structured.stderr, "this went wrong\n");

  await tool(client, "files_mkdir", { path: directory });
  const content = "written by an AI client, through a relay\n";
  const file = path.join(directory, "note.txt");
  await tool(client, "files_write", { path: file, content });
  await tool(client, "files_list", { path: directory });
  const read = await tool(client, "files_read", { path: file });
  expect("content", read.structured.content, content);
}

await main();
