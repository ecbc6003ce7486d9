import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { z } from "zod";

const requestSchema = z.looseObject({ messages: z.array(z.unknown()), system: z.unknown().optional() });

/** A block of an answer. */
export type Block = { readonly text: string } | { readonly tool: string; readonly input: object };

/** An answer: its blocks, and whether the connection is cut behind them. */
export interface Message {
  readonly blocks: readonly Block[];
  readonly isCut?: boolean;
}

/** A server that speaks Anthropic's messages protocol with streaming, one scripted answer a call. */
export class AnthropicServer implements AsyncDisposable {
  /** What it was called with, as text. */
  readonly calls: string[] = [];
  readonly keys: (string | undefined)[] = [];
  readonly #server: Server;
  readonly #script: Message[];

  private constructor(script: readonly Message[]) {
    this.#script = [...script];
    this.#server = createServer(async (request, response) => {
      const body = requestSchema.parse(JSON.parse((await buffer(request)).toString()));
      this.calls.push(JSON.stringify(body));
      this.keys.push(request.headers["x-api-key"]?.toString());
      const message = this.#script.shift();
      if (message === undefined) response.writeHead(400).end("{}");
      else send(response, message);
    });
  }

  static async start(...script: readonly Message[]): Promise<AnthropicServer> {
    const server = new AnthropicServer(script);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get baseUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("not listening");
    return `http://127.0.0.1:${address.port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function send(response: ServerResponse, { blocks, isCut = false }: Message): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const event = (type: string, fields: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  };
  const usage = { input_tokens: 20, output_tokens: 7 };
  const head = { id: "msg_1", type: "message", role: "assistant", model: "scripted", content: [] };
  event("message_start", { message: { ...head, stop_reason: null, stop_sequence: null, usage } });
  for (const [index, block] of blocks.entries()) {
    if ("text" in block) {
      event("content_block_start", { index, content_block: { type: "text", text: "" } });
      event("content_block_delta", { index, delta: { type: "text_delta", text: block.text } });
    } else {
      const id = `toolu_${index}_${Math.random().toString(36).slice(2)}`;
      const start = { type: "tool_use", id, name: block.tool, input: {} };
      event("content_block_start", { index, content_block: start });
      const delta = { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
      event("content_block_delta", { index, delta });
    }
    event("content_block_stop", { index });
  }
  if (isCut) {
    // Once what was said is on its way.
    setTimeout(() => response.destroy(), 100);
    return;
  }
  const stop_reason = blocks.some((block) => "tool" in block) ? "tool_use" : "end_turn";
  event("message_delta", { delta: { stop_reason, stop_sequence: null }, usage });
  event("message_stop", {});
  response.end();
}
