import type { AssistantModelMessage, ModelMessage } from "ai";
import { withoutThoughts } from "./thoughts.ts";

type Part = Exclude<AssistantModelMessage["content"], string>[number];

/**
 * What is sent back of an answer: without the thoughts in its text, which models
 * do not want to read again. What a provider itself calls a thought stays: some
 * want it back between tools.
 */
export function spoken(messages: readonly ModelMessage[]): ModelMessage[] {
  return mapped(messages, (part) =>
    part.type === "text" ? { ...part, text: withoutThoughts(part.text) } : part,
  );
}

/** Without what a provider has called thoughts: for one that refuses its own. */
export function withoutReasoning(messages: readonly ModelMessage[]): ModelMessage[] {
  return mapped(messages, (part) => (part.type === "reasoning" ? undefined : part));
}

export function hasReasoning(messages: readonly ModelMessage[]): boolean {
  return messages.some(
    ({ role, content }) =>
      role === "assistant" && typeof content !== "string" && content.some(({ type }) => type === "reasoning"),
  );
}

/** Parts of the model's own messages, changed; what is empty then goes. */
function mapped(messages: readonly ModelMessage[], change: (part: Part) => Part | undefined): ModelMessage[] {
  return messages.flatMap((message): ModelMessage[] => {
    if (message.role !== "assistant") return [message];
    const given: Part[] =
      typeof message.content === "string" ? [{ type: "text", text: message.content }] : message.content;
    const content = given
      .map(change)
      .filter((part) => part !== undefined)
      .filter((part) => part.type !== "text" || part.text !== "");
    return content.length === 0 ? [] : [{ ...message, content }];
  });
}
