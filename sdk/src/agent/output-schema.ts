import { CmdopError, MAX_OUTPUT_SCHEMA_BYTES } from "@cmdop/proto";
import { z } from "zod";
import type { JsonSchema, RunOptions } from "./types.ts";

/**
 * Returns the output schema of a run's options as JSON text for the machine; empty if there is none.
 * @throws CmdopError InvalidArgument
 */
export function wireSchema({
  outputSchema,
  outputJsonSchema,
}: Pick<RunOptions, "outputSchema" | "outputJsonSchema">): string {
  if (outputSchema !== undefined) return jsonSchemaOf(outputSchema);
  return outputJsonSchema === undefined ? "" : checkedJsonSchema(outputJsonSchema);
}

/** Refuses here, before anything is sent, every schema that the machine would refuse. */
function checkedJsonSchema(schema: JsonSchema): string {
  const refusal = (why: string, cause?: unknown): CmdopError =>
    new CmdopError("InvalidArgument", `The output schema can't be used: ${why.slice(0, 500)}.`, {
      cause,
      next: "Give a JSON Schema (draft 2020-12 or 7) of an object, its references within itself.",
    });
  if (schema.type !== "object") throw refusal('its type is not "object"');
  const text = JSON.stringify(schema);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_OUTPUT_SCHEMA_BYTES)
    throw refusal(`it has ${bytes} bytes, and ${MAX_OUTPUT_SCHEMA_BYTES} are the limit`);
  try {
    z.fromJSONSchema({ ...schema });
  } catch (thrown) {
    throw refusal(String(thrown), thrown);
  }
  return text;
}

/**
 * Converts a zod schema to JSON Schema for the machine. It describes the schema's input, as the model is to
 * write it: before transforms and defaults.
 * @throws CmdopError InvalidArgument
 */
function jsonSchemaOf(schema: z.ZodType): string {
  let json: z.core.JSONSchema.BaseSchema;
  try {
    // A z.object accepts unknown properties, and parseOutput strips them; a z.strictObject says in its JSON
    // Schema that it refuses them.
    json = z.toJSONSchema(schema, { io: "input" });
  } catch (cause) {
    throw new CmdopError(
      "InvalidArgument",
      `The output schema has no form in JSON Schema: ${String(cause)}`,
      {
        cause,
        next: "Use only types of JSON: strings, numbers, booleans, null, arrays, objects.",
      },
    );
  }
  if (json.type !== "object") {
    throw new CmdopError("InvalidArgument", "The output schema does not describe an object.", {
      next: "Wrap it: z.object({ … }).",
    });
  }
  return JSON.stringify(json);
}

/** Parses the machine's output with the schema. @throws CmdopError OutputInvalid */
export function parseOutput<S extends z.ZodType>(schema: S, output: unknown): z.output<S> {
  const parsed = schema.safeParse(output);
  if (parsed.success) return parsed.data;
  const why = z.prettifyError(parsed.error);
  throw new CmdopError("OutputInvalid", `The run's output does not match its schema here: ${why}`, {
    cause: parsed.error,
  });
}
