import { CmdopError, MAX_OUTPUT_SCHEMA_BYTES } from "@cmdop/proto";
import { z } from "zod";
import type { JsonSchema, RunOptions } from "./types.ts";

/** The shape that a run's options ask for, as text for the machine; empty where they ask for none. @throws CmdopError InvalidArgument */
export function wireSchema({
  outputSchema,
  outputJsonSchema,
}: Pick<RunOptions, "outputSchema" | "outputJsonSchema">): string {
  if (outputSchema !== undefined) return jsonSchemaOf(outputSchema);
  return outputJsonSchema === undefined ? "" : checkedJsonSchema(outputJsonSchema);
}

/** What the machine would refuse is refused here, before anything is sent. */
function checkedJsonSchema(schema: JsonSchema): string {
  const refusal = (why: string, cause?: unknown): CmdopError =>
    new CmdopError("InvalidArgument", `The output schema can't be used: ${why.slice(0, 500)}.`, {
      cause,
      next: "Give a JSON Schema (draft 2020-12 or 7) of an object, its references within itself.",
    });
  if (schema.type !== "object") throw refusal('it is none of an object ("type": "object")');
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
 * A zod schema as JSON Schema for the machine: of what the model is to write,
 * so before transforms and defaults.
 * @throws CmdopError InvalidArgument
 */
function jsonSchemaOf(schema: z.ZodType): string {
  let json: z.core.JSONSchema.BaseSchema;
  try {
    // What a z.object does not know is no fault: parseOutput strips it. A z.strictObject says that it refuses it.
    json = z.toJSONSchema(schema, { io: "input" });
  } catch (cause) {
    throw new CmdopError(
      "InvalidArgument",
      `The output schema can't be said in JSON Schema: ${String(cause)}`,
      {
        cause,
        next: "Use what JSON has: strings, numbers, booleans, null, arrays, objects.",
      },
    );
  }
  if (json.type !== "object") {
    throw new CmdopError("InvalidArgument", "The output schema is none of an object.", {
      next: "Wrap it: z.object({ … }).",
    });
  }
  return JSON.stringify(json);
}

/** The machine's output as the schema has it. @throws CmdopError OutputInvalid */
export function parseOutput<S extends z.ZodType>(schema: S, output: unknown): z.output<S> {
  const parsed = schema.safeParse(output);
  if (parsed.success) return parsed.data;
  const why = z.prettifyError(parsed.error);
  throw new CmdopError("OutputInvalid", `The run's output does not match its schema here: ${why}`, {
    cause: parsed.error,
  });
}
