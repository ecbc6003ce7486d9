import { userName } from "@cmdop/kit";
import { ownCommand } from "../own-command.ts";
import type { UpReady } from "../up/bring-up.ts";

/** The command by which an MCP client starts cmdop, as it stands in Claude's and Cursor's files. */
export interface McpServerBlock {
  readonly mcpServers: {
    readonly cmdop: {
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };
  };
}

/** The block for the cmdop that runs now and a home. It holds no secret: the key stays in the profile. */
export function mcpServerBlock(home: string): McpServerBlock {
  const { program, main } = ownCommand();
  return { mcpServers: { cmdop: { command: program, args: [main, "mcp"], env: { CMDOP_HOME: home } } } };
}

/** The same for a key of its own, which then stands in the block. */
export function mcpServerBlockOf(apiKey: string): McpServerBlock {
  const { program, main } = ownCommand();
  return { mcpServers: { cmdop: { command: program, args: [main, "mcp"], env: { CMDOP_API_KEY: apiKey } } } };
}

/** Where what `cmdop up` tells of runs: in this process, as a service, or in another process. */
export type ReadyHow = "here" | "service" | "running";

/** How it is ended; of another process nobody knows what it is. */
const ENDS: Readonly<Record<ReadyHow, readonly string[]>> = {
  here: ["Ctrl-C ends it."],
  service: ["cmdop agent uninstall ends it."],
  running: [],
};

/** The text that `cmdop up` prints for a person. `power`: see powerOf. */
export function readyText(
  { relay, machine, profile, mcp }: UpReady,
  power: string,
  how: ReadyHow = "here",
): string {
  return [
    `machine ${machine.name} is online through the relay at ${relay}`,
    `profile ${profile}`,
    power,
    "",
    pasteText(mcp),
    "",
    `Try: cmdop exec ${machine.name} "uname -a"`,
    ...ENDS[how],
    "",
  ].join("\n");
}

/**
 * Says in one line what a holder of the profile's key can do. `isElsewhere`: the relay is not this home's own;
 * the key that is made for it reaches all of the owner's machines.
 */
export function powerOf(isElsewhere: boolean): string {
  const others = isElsewhere
    ? ", and on every other machine of its owner at this relay if cmdop up made it"
    : "";
  return `The key in it, which the MCP server uses, can run any command on this machine as ${userName()} unless policy.json narrows that${others}; it can't make keys, join machines or answer approvals.`;
}

/** The block as each client wants it. */
export function pasteText(mcp: McpServerBlock): string {
  const { command, args, env } = mcp.mcpServers.cmdop;
  const vscode = { servers: { cmdop: { type: "stdio", command, args, env } } };
  const variables = Object.entries(env).map(([name, value]) => `-e ${name}=${shellQuoted(value)}`);
  const claudeCode = [
    "claude mcp add cmdop",
    ...variables,
    "--",
    ...[command, ...args].map(shellQuoted),
  ].join(" ");
  return [
    "Claude Desktop (claude_desktop_config.json) and Cursor (.cursor/mcp.json):",
    indented(JSON.stringify(mcp, null, 2)),
    "VS Code (.vscode/mcp.json):",
    indented(JSON.stringify(vscode, null, 2)),
    "Claude Code:",
    indented(claudeCode),
  ].join("\n");
}

function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
