import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { CMDOP_MAIN, cmdopEnvironment } from "./cmdop-process.ts";

/** A real MCP client with `cmdop mcp` as its server, over stdio, the way an editor starts it. */
export async function connectMcp(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Client> {
  const client = new Client({ name: "cmdop-e2e", version: "0.1.0" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [CMDOP_MAIN, "mcp", ...args],
      env: cmdopEnvironment(env),
    }),
  );
  return client;
}

/** The process of its server; -1 where there is none. */
export function serverPid({ transport }: Client): number {
  return transport instanceof StdioClientTransport ? (transport.pid ?? -1) : -1;
}
