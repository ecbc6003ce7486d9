import { CmdopError } from "@cmdop/proto";
import type { JSONSchema7 } from "ai";
import { z } from "zod";
import { LOOP_LIMITS } from "../limits.ts";

/** The schema of an answer. The schema thread checks whether it can be used (schemas.ts). */
export interface OutputSchema {
  readonly json: JSONSchema7;
  /** The schema as text. */
  readonly text: string;
}

/**
 * Parses a caller's schema and makes the cheap checks: its JSON, its size, its type.
 * @throws CmdopError InvalidArgument
 */
export function parseSchema(text: string): OutputSchema {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw unusableSchema(String(thrown), thrown);
  }
  checkSize(json);
  const schema = z.custom<JSONSchema7>(isObjectSchema).safeParse(json);
  if (!schema.success) throw unusableSchema('its type is not "object"');
  return { json: schema.data, text };
}

/** Converts one of our own Zod schemas. */
export function schemaOf(schema: z.ZodType): OutputSchema {
  return parseSchema(JSON.stringify(z.toJSONSchema(schema, { target: "draft-7" })));
}

/** Returns instructions for a model that describe the schema. */
export function inWords({ text }: OutputSchema): string {
  return `When you answer, answer with one JSON object that matches this JSON Schema, and with nothing else:\n${text}`;
}

/** Returns the error for a schema that can't be used. */
export function unusableSchema(why: string, cause?: unknown): CmdopError {
  return new CmdopError("InvalidArgument", `The output schema can't be used: ${why.slice(0, 500)}.`, {
    cause,
    next: "Give a JSON Schema (draft 2020-12 or 7) of an object, its references within itself.",
  });
}

function isObjectSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === "object";
}

/** Counts the parts level by level: a schema that is too deep is never walked to its end. */
function checkSize(json: unknown): void {
  const { maxSchemaParts, maxSchemaDepth } = LOOP_LIMITS;
  let parts = 0;
  let level = [json];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxSchemaDepth) throw unusableSchema(`it is nested deeper than ${maxSchemaDepth} levels`);
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value) : [],
    );
    parts += level.length;
    if (parts > maxSchemaParts) throw unusableSchema(`it has more than ${maxSchemaParts} members and items`);
  }
}
