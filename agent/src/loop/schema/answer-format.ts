import type { OutputInterface as Output } from "ai";
import type { OutputSchema } from "./output-schema.ts";

/**
 * Tells the provider to answer with JSON that matches the schema, or with any JSON without one, and does no
 * more. The AI SDK's own `Output.object` would parse the whole answer again with every piece: an answer of a
 * megabyte would block the agent for minutes. Answers are read once, when they are complete (schemas.ts).
 */
export function answerFormat(schema: OutputSchema | undefined): Output<string, number, never> {
  return {
    name: "object",
    responseFormat: Promise.resolve({ type: "json", ...(schema && { schema: schema.json }) }),
    parseCompleteOutput: async ({ text }) => text,
    // The value must differ with each piece: only then does the SDK pass the piece on.
    parsePartialOutput: async ({ text }) => ({ partial: text.length }),
    createElementStreamTransform: () => undefined,
  };
}
