import type { AssistantModelMessage, ModelMessage } from "ai";
import { withoutThoughts } from "./thoughts.ts";

type Part = Exclude<AssistantModelMessage["content"], string>[number];

/**
 * Returns messages without the thoughts in their text, which models do not want to read again. Parts that the
 * provider itself marks as reasoning stay: some providers require them between tool calls.
 */
export function spoken(messages: readonly ModelMessage[]): ModelMessage[] {
  return mapped(messages, (part) =>
    part.type === "text" ? { ...part, text: withoutThoughts(part.text) } : part,
  );
}

/** Returns messages without reasoning parts, for a provider that refuses its own. */
export function withoutReasoning(messages: readonly ModelMessage[]): ModelMessage[] {
  return mapped(messages, (part) => (part.type === "reasoning" ? undefined : part));
}

export function hasReasoning(messages: readonly ModelMessage[]): boolean {
  return messages.some(
    ({ role, content }) =>
      role === "assistant" && typeof content !== "string" && content.some(({ type }) => type === "reasoning"),
  );
}

/** Changes the parts of the model's own messages; parts and messages that are then empty are dropped. */
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
