import type { OutputInterface as Output } from "ai";
import type { OutputSchema } from "./output-schema.ts";

/**
 * Tells the provider what to answer with, any JSON without a schema, and nothing else. The AI SDK's own
 * `Output.object` would parse all of the answer again with every piece that
 * comes: an answer of a megabyte would hold the agent up for minutes. Answers
 * are read once, when they are whole (schemas.ts).
 */
export function answerFormat(schema: OutputSchema | undefined): Output<string, number, never> {
  return {
    name: "object",
    responseFormat: Promise.resolve({ type: "json", ...(schema && { schema: schema.json }) }),
    parseCompleteOutput: async ({ text }) => text,
    // Something new with each piece: only then is the piece passed on.
    parsePartialOutput: async ({ text }) => ({ partial: text.length }),
    createElementStreamTransform: () => undefined,
  };
}
