import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { CMDOP_MAIN, cmdopEnvironment } from "./cmdop-process.ts";

/** What a person does with a form. */
export type Said =
  | { readonly action: "accept"; readonly content: { readonly [field: string]: string | boolean } }
  | { readonly action: "decline" | "cancel" };

/** A person, who is shown a message. */
export type Person = (message: string) => Said | Promise<Said>;

const INFO = { name: "asking", version: "0" };
const MODERN_REVISION = "2026-07-28";

const resultSchema = z.object({
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
  content: z.array(z.object({ text: z.string() })),
});
export type Result = z.output<typeof resultSchema>;

/** A client that can put forms before its person, with a server of its own. */
export interface AskingClient extends AsyncDisposable {
  call(name: string, args: object, signal?: AbortSignal): Promise<Result>;
}

function server(env: Readonly<Record<string, string>>) {
  return { command: process.execPath, args: [CMDOP_MAIN, "mcp"], env: cmdopEnvironment(env) };
}

/** A client of 2026: questions come as answers, and calls are made again with the word. */
export async function modernClient(
  env: Readonly<Record<string, string>>,
  person: Person,
): Promise<AskingClient> {
  const client = await rawModernClient(env);
  client.setRequestHandler("elicitation/create", async ({ params }) => person(params.message));
  return {
    call: async (name, args, signal) =>
      resultSchema.parse(
        await client.callTool({ name, arguments: { ...args } }, signal === undefined ? {} : { signal }),
      ),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** The same without its person: what it says is the test's. */
export async function rawModernClient(env: Readonly<Record<string, string>>): Promise<Client> {
  const capabilities = { elicitation: {} };
  const client = new Client(INFO, {
    capabilities,
    versionNegotiation: { mode: { pin: MODERN_REVISION } },
  });
  await client.connect(new StdioClientTransport(server(env)));
  return client;
}

/** A client of 2025: it is asked while its call stays open. */
export async function legacyClient(
  env: Readonly<Record<string, string>>,
  person: Person,
): Promise<AskingClient> {
  const client = new FirstClient(INFO, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
    ...(await person(params.message)),
  }));
  await client.connect(new FirstTransport(server(env)));
  return {
    call: async (name, args, signal) =>
      resultSchema.parse(
        await client.callTool(
          { name, arguments: { ...args } },
          undefined,
          signal === undefined ? {} : { signal },
        ),
      ),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
