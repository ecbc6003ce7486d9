import { once } from "node:events";
import type { Stream } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

/** The clients that there are: the 1.x line, and 2.x speaking either protocol era or choosing one itself. */
export const CLIENT_KINDS = ["1.x", "2.x legacy", "2.x auto", "2.x modern"] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

/** The protocol revision that "2.x modern" insists on. */
const MODERN_REVISION = "2026-07-28";

const CLIENT_INFO = { name: "test", version: "0" };

const answerSchema = z.object({
  content: z.array(z.object({ type: z.literal("text"), text: z.string() })),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
});
export type Answer = z.output<typeof answerSchema>;

const toldSchema = z.object({ what: z.string(), job: z.string().optional() });
export type Told = z.output<typeof toldSchema>;

export interface CallSettings {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { progress: number; message?: string | undefined }) => void;
}

/** A client of one kind with a server of its own, in a child process. */
export interface Connection extends AsyncDisposable {
  readonly pid: number;
  listToolNames(): Promise<string[]>;
  call(name: string, args?: Record<string, unknown>, settings?: CallSettings): Promise<Answer>;
  readonly instructions: string | undefined;
  /** Everything that the server's stderr has told so far. */
  readonly told: readonly Told[];
  /** Waits until the server tells of it. */
  untilTold(what: string): Promise<void>;
  /** Ends the server's stdin and waits for the process. */
  close(): Promise<void>;
}

/** The server's arguments, as in server-main.ts. */
export interface ServerSettings {
  readonly waitMs?: number;
  readonly progressIntervalMs?: number;
  readonly toolNames?: "underscore" | "dotted";
}

/** Never fills in a form that it is shown. */
export const SILENT_PERSON = () => new Promise<never>(() => undefined);

/** How to start the server. */
export function serverCommand({
  waitMs = 45_000,
  progressIntervalMs = 5_000,
  toolNames = "underscore",
}: ServerSettings = {}) {
  const main = fileURLToPath(new URL("./server-main.ts", import.meta.url));
  return { command: process.execPath, args: [main, String(waitMs), String(progressIntervalMs), toolNames] };
}

/** `person` is who a client of the 1.x line can ask; nobody unless given. */
export async function connect(
  kind: ClientKind,
  settings: ServerSettings = {},
  person?: () => Promise<{ action: "accept" | "decline" | "cancel" }>,
): Promise<Connection> {
  // The clients pass nothing on of what vitest.config.ts sets.
  const { NODE_COMPILE_CACHE = "" } = process.env;
  const env = { ...getDefaultEnvironment(), NODE_COMPILE_CACHE };
  const parameters = { ...serverCommand(settings), env, stderr: "pipe" as const };
  if (kind === "1.x") {
    const transport = new FirstTransport(parameters);
    const client = new FirstClient(CLIENT_INFO, {
      capabilities: person === undefined ? {} : { elicitation: {} },
    });
    if (person !== undefined) client.setRequestHandler(ElicitRequestSchema, person);
    const listener = listen(transport.stderr);
    await client.connect(transport);
    return connection(client, transport, listener, (params, options) =>
      client.callTool(params, undefined, options),
    );
  }
  const mode = {
    "2.x legacy": "legacy",
    "2.x auto": "auto",
    "2.x modern": { pin: MODERN_REVISION },
  } as const;
  const transport = new StdioClientTransport(parameters);
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode: mode[kind] } });
  const listener = listen(transport.stderr);
  await client.connect(transport);
  return connection(client, transport, listener, (params, options) => client.callTool(params, options));
}

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  getInstructions(): string | undefined;
  close(): Promise<void>;
}

function connection(
  client: AnyClient,
  transport: { readonly pid: number | null },
  listener: Listener,
  callTool: (
    params: { name: string; arguments: Record<string, unknown> },
    options: CallSettings,
  ) => Promise<unknown>,
): Connection {
  const pid = transport.pid;
  if (pid === null) throw new TypeError("the server's process has not been started");
  const close = (): Promise<void> => client.close();
  return {
    ...listener,
    pid,
    instructions: client.getInstructions(),
    listToolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, settings = {}) =>
      answerSchema.parse(await callTool({ name, arguments: args }, settings)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Listener = Pick<Connection, "told" | "untilTold">;

function listen(stderr: Stream | null): Listener {
  if (stderr === null) throw new TypeError("the server's stderr is not a pipe");
  const told: Told[] = [];
  let rest = "";
  stderr.on("data", (chunk: Buffer) => {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines)
      told.push(line.startsWith("{") ? toldSchema.parse(JSON.parse(line)) : { what: line });
  });
  return {
    told,
    untilTold: async (what) => {
      while (!told.some((event) => event.what === what)) await once(stderr, "data");
    },
  };
}
