import type { ServerResponse } from "node:http";
import { type Refusal, ScriptedProvider } from "./scripted-provider.ts";

/** An item of an answer; `input` as text where it is to be malformed. */
export type Item =
  | { readonly text: string }
  | { readonly tool: string; readonly input: object | string }
  /** A thought that only OpenAI can read, which wants to be sent back. */
  | { readonly encrypted: string };

/** An answer: its items, and whether the stream just stops behind them. */
export interface ResponsesTurn {
  readonly items: readonly Item[];
  readonly isCut?: boolean;
}

/** A server that speaks OpenAI's responses protocol with streaming. */
export function responsesServer(
  ...script: readonly (ResponsesTurn | Refusal)[]
): Promise<ScriptedProvider<ResponsesTurn>> {
  return new ScriptedProvider(script, send).listen();
}

function send(response: ServerResponse, { items, isCut = false }: ResponsesTurn): void {
  let sequence_number = 0;
  const event = (type: string, fields: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, ...fields })}\n\n`);
    sequence_number += 1;
  };
  const head = { id: "resp_1", object: "response", created_at: 1, model: "scripted" };
  event("response.created", { response: { ...head, status: "in_progress" } });
  for (const [output_index, item] of items.entries()) {
    const id = `item_${output_index}_${Math.random().toString(36).slice(2)}`;
    sendItem((type, fields) => event(type, { output_index, ...fields }), id, item);
  }
  const usage = { input_tokens: 20, output_tokens: 7, total_tokens: 27 };
  if (!isCut) event("response.completed", { response: { ...head, status: "completed", usage } });
  response.end();
}

function sendItem(event: (type: string, fields: object) => void, id: string, item: Item): void {
  if ("text" in item) {
    const message = { type: "message", id, role: "assistant" };
    event("response.output_item.added", { item: { ...message, status: "in_progress", content: [] } });
    for (const delta of item.text.match(/[\s\S]{1,7}/g) ?? [])
      event("response.output_text.delta", { item_id: id, content_index: 0, delta });
    const content = [{ type: "output_text", text: item.text, annotations: [] }];
    event("response.output_item.done", { item: { ...message, status: "completed", content } });
  } else if ("tool" in item) {
    const call = { type: "function_call", id, call_id: `call_${id}`, name: item.tool };
    const args = typeof item.input === "string" ? item.input : JSON.stringify(item.input);
    event("response.output_item.added", { item: { ...call, arguments: "", status: "in_progress" } });
    event("response.function_call_arguments.delta", { item_id: id, delta: args });
    event("response.function_call_arguments.done", { item_id: id, arguments: args });
    event("response.output_item.done", { item: { ...call, arguments: args, status: "completed" } });
  } else {
    const thought = { type: "reasoning", id, summary: [], encrypted_content: item.encrypted };
    event("response.output_item.added", { item: thought });
    event("response.output_item.done", { item: thought });
  }
}
