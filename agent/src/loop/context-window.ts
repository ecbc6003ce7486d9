import type { ModelMessage } from "ai";
import { LOOP_LIMITS } from "./limits.ts";

/**
 * Shortens the output of tools, oldest first, in a conversation that has grown too long. The words of the
 * model and of its caller stay. Returns the number of characters removed.
 */
export function shortenOldOutput(
  messages: ModelMessage[],
  maxCharacters: number = LOOP_LIMITS.maxContextCharacters,
): number {
  const before = messages.reduce((sum, message) => sum + sizeOf(message), 0);
  let left = before;
  // The newest message stays: the model is about to answer it.
  for (const [index, message] of messages.slice(0, -1).entries()) {
    if (left <= maxCharacters) break;
    if (message.role !== "tool") continue;
    const shortened = { ...message, content: message.content.map(shortPart) };
    left -= sizeOf(message) - sizeOf(shortened);
    messages[index] = shortened;
  }
  return before - left;
}

/** Messages do not change and a conversation has hundreds of them, so each is measured once. */
const sizes = new WeakMap<ModelMessage, number>();

function sizeOf(message: ModelMessage): number {
  const size = sizes.get(message) ?? JSON.stringify(message.content).length;
  sizes.set(message, size);
  return size;
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
