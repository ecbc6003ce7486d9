import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { agentStateDir } from "@cmdop/proto";
import { z } from "zod";

const requestSchema = z.object({
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown().optional() })),
  tools: z.array(z.object({ function: z.object({ name: z.string() }) })).default([]),
  tool_choice: z.unknown().optional(),
  response_format: z.unknown().optional(),
  stream_options: z.unknown().optional(),
  max_tokens: z.number().optional(),
});

/** A call of the model, as the server got it. */
export interface ModelCall {
  readonly authorization: string | undefined;
  readonly atMs: number;
  readonly body: z.infer<typeof requestSchema>;
  /** All that was said to the model, as text. */
  readonly said: string;
}

/** A tool that the scripted model asks for; `arguments` as text where they are to be malformed. */
export interface AskedTool {
  readonly name: string;
  readonly arguments: object | string;
}

/** What the scripted model does when it is called. */
export type Reply =
  | { readonly text: string; readonly finish?: "stop" | "length"; readonly reasoning?: string }
  | { readonly tools: readonly AskedTool[]; readonly text?: string; readonly finish?: "length" | "stop" }
  /** Refuses. */
  | { readonly status: number; readonly headers?: Record<string, string>; readonly error: string }
  /** Says something, and asks for tools, and then the connection is cut. */
  | { readonly cutAfter: string; readonly tools?: readonly AskedTool[] }
  /** Says something, and the stream ends as if that were all; no word of why. */
  | { readonly stopsAfter: string; readonly tools?: readonly AskedTool[] }
  /** Says something, and asks for tools, and then nothing more. */
  | { readonly silentAfter: string; readonly tools?: readonly AskedTool[] };

type Script = Reply | ((call: ModelCall) => Reply | Promise<Reply>);

/** Tokens that each answer is said to have cost. */
export const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** A server that speaks OpenAI's chat completions with streaming, as a test tells it to. */
export class ModelServer implements AsyncDisposable {
  static readonly apiKey = "sk-the-key-of-this-machines-model";
  readonly calls: ModelCall[] = [];
  readonly #server: Server;
  #scripts: Script[] = [];
  #always: Script | undefined;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        // What a script or its reader throws must not look like a provider that is worth another attempt.
        if (!response.headersSent) response.writeHead(400);
        response.end(JSON.stringify({ error: { message: `the script failed: ${String(error)}` } }));
      });
    });
  }

  static async start(): Promise<ModelServer> {
    const server = new ModelServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** What it answers from now on, one reply a call; what it was called with before is forgotten. */
  script(...scripts: readonly Script[]): void {
    this.calls.length = 0;
    this.#scripts = [...scripts];
    this.#always = undefined;
  }

  /** What it answers to every call from now on. */
  always(script: Script): void {
    this.script();
    this.#always = script;
  }

  get baseUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("not listening");
    return `http://127.0.0.1:${address.port}/v1`;
  }

  /** Makes it the model of the machine with this home. */
  async serve(home: string, more: object = {}): Promise<void> {
    const { baseUrl } = this;
    const settings = { model: "openai-compatible:scripted", baseUrl, apiKey: ModelServer.apiKey, ...more };
    await writeFile(`${agentStateDir(home)}/model.json`, JSON.stringify(settings), { mode: 0o600 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = requestSchema.parse(JSON.parse((await buffer(request)).toString()));
    const said = body.messages.map(({ content }) => JSON.stringify(content)).join("\n");
    const call = { authorization: request.headers.authorization, atMs: performance.now(), body, said };
    this.calls.push(call);
    const script = this.#scripts.shift() ?? this.#always;
    if (script === undefined) {
      response.writeHead(400).end(JSON.stringify({ error: { message: "the script has come to its end" } }));
      return;
    }
    send(response, typeof script === "function" ? await script(call) : script);
  }
}

function send(response: ServerResponse, reply: Reply): void {
  if ("status" in reply) {
    response.writeHead(reply.status, { "content-type": "application/json", ...reply.headers });
    response.end(JSON.stringify({ error: { message: reply.error, type: "scripted" } }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const chunk = (delta: object, finish_reason: string | null = null): void => {
    const head = { id: "chat-1", object: "chat.completion.chunk", created: 1, model: "scripted" };
    response.write(`data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  };
  const text = textOf(reply);
  const tools = "tools" in reply ? (reply.tools ?? []) : [];
  if ("reasoning" in reply) chunk({ role: "assistant", reasoning_content: reply.reasoning });
  // In pieces, as models speak.
  for (const content of text.match(/[\s\S]{1,7}/g) ?? []) chunk({ role: "assistant", content });
  for (const [index, { name, arguments: args }] of tools.entries()) {
    const json = typeof args === "string" ? args : JSON.stringify(args);
    const half = Math.floor(json.length / 2);
    const id = `call-${index}-${Math.random().toString(36).slice(2)}`;
    chunk({
      tool_calls: [{ index, id, type: "function", function: { name, arguments: json.slice(0, half) } }],
    });
    chunk({ tool_calls: [{ index, function: { arguments: json.slice(half) } }] });
  }
  if ("silentAfter" in reply) return;
  if ("stopsAfter" in reply) {
    response.end();
    return;
  }
  if ("cutAfter" in reply) {
    // Once what was said is on its way.
    setTimeout(() => response.destroy(), 50);
    return;
  }
  chunk({}, reply.finish ?? (tools.length > 0 ? "tool_calls" : "stop"));
  response.write(`data: ${JSON.stringify({ id: "chat-1", choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`);
  response.end();
}

function textOf(reply: Exclude<Reply, { readonly status: number }>): string {
  if ("cutAfter" in reply) return reply.cutAfter;
  if ("stopsAfter" in reply) return reply.stopsAfter;
  return "silentAfter" in reply ? reply.silentAfter : (reply.text ?? "");
}
