import { CmdopError } from "@cmdop/proto";
import { z } from "zod";

/**
 * A zod schema as JSON Schema for the machine: of what the model is to write,
 * so before transforms and defaults.
 * @throws CmdopError InvalidArgument
 */
export function jsonSchemaOf(schema: z.ZodType): string {
  let json: z.core.JSONSchema.BaseSchema;
  try {
    json = z.toJSONSchema(schema, {
      io: "input",
      // Models add fields that nobody asked for, unless they are told not to.
      override: ({ jsonSchema }) => {
        if (jsonSchema.type === "object" && jsonSchema.properties !== undefined)
          jsonSchema.additionalProperties ??= false;
      },
    });
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
