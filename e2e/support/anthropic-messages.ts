import type { ServerResponse } from "node:http";
import { type Refusal, ScriptedProvider } from "./scripted-provider.ts";

/** A block of an answer; `input` as text where it is to be malformed. */
export type Block = { readonly text: string } | { readonly tool: string; readonly input: object | string };

/** An answer: its blocks, and whether the connection is cut behind them. */
export interface Message {
  readonly blocks: readonly Block[];
  readonly isCut?: boolean;
}

/** A server that speaks Anthropic's messages protocol with streaming. */
export function anthropicServer(
  ...script: readonly (Message | Refusal)[]
): Promise<ScriptedProvider<Message>> {
  return new ScriptedProvider(script, send).listen();
}

function send(response: ServerResponse, { blocks, isCut = false }: Message): void {
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
      const partial_json = typeof block.input === "string" ? block.input : JSON.stringify(block.input);
      event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } });
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
