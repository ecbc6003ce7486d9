import type { ModelMessage } from "ai";
import { LOOP_LIMITS } from "./limits.ts";

/**
 * Takes old output of tools out of a conversation that grew too long, the
 * oldest first; what the model and its caller said stays. Returns how many
 * characters went.
 */
export function shortenOldOutput(
  messages: ModelMessage[],
  maxCharacters: number = LOOP_LIMITS.maxContextCharacters,
): number {
  const before = messages.reduce((sum, message) => sum + JSON.stringify(message.content).length, 0);
  let left = before;
  // The newest message is what the model is about to answer to.
  for (const [index, message] of messages.slice(0, -1).entries()) {
    if (left <= maxCharacters) break;
    if (message.role !== "tool") continue;
    const shortened = { ...message, content: message.content.map(shortPart) };
    left -= JSON.stringify(message.content).length - JSON.stringify(shortened.content).length;
    messages[index] = shortened;
  }
  return before - left;
}

type ToolPart = Extract<ModelMessage, { role: "tool" }>["content"][number];

function shortPart(part: ToolPart): ToolPart {
  if (part.type !== "tool-result" || part.output.type !== "text") return part;
  const { value } = part.output;
  if (value.length <= 2 * LOOP_LIMITS.keptToolCharacters) return part;
  const kept = value.slice(0, LOOP_LIMITS.keptToolCharacters);
  const gone = value.length - kept.length;
  const note = `[${gone} more characters were taken out, since the conversation is long. Ask the tool again where you need them.]`;
  return { ...part, output: { type: "text", value: `${kept}\n${note}` } };
}
