import { z } from "zod";
import { dotted, type ToolNames } from "./names.ts";
import type { Tool, ToolAnnotations } from "./tool.ts";

/** A JSON Schema of an object, as MCP lists it. */
export interface ListedSchema {
  readonly [keyword: string]: unknown;
  readonly type: "object";
}

/** A tool as MCP lists it. */
export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: ListedSchema;
  readonly outputSchema: ListedSchema;
  readonly annotations: ToolAnnotations;
}

/** What tools/list answers. Every client pays for it in tokens, on every conversation: only what says something stays. */
export function listTools(tools: readonly Tool[], names: ToolNames = "underscore"): ListedTool[] {
  return tools.map((tool) => ({
    name: names === "dotted" ? dotted(tool.name) : tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: schemaOf(tool.input, "input"),
    outputSchema: schemaOf(tool.output, "output"),
    annotations: tool.annotations,
  }));
}

function schemaOf(schema: z.ZodObject, io: "input" | "output"): ListedSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => trim(jsonSchema),
  });
  return { ...rest, type: "object" };
}

/** Takes out what zod says and no model needs: the bounds of exact integers, and what follows from the type. */
function trim(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  delete schema.propertyNames;
}
