import { z } from "zod";

/** Levels of JSON within JSON strings: deeper nesting is no mere mistake. */
const MAX_STRING_DEPTH = 2;

/** The part of a tool's JSON Schema that is used: its arguments that have one type. */
const argumentsSchema = z.object({
  properties: z.record(z.string(), z.object({ type: z.string().optional().catch(undefined) })).default({}),
  required: z.array(z.string()).default([]),
});

/** Converts a tool's arguments from the received to the intended form. */
export type ReadArguments = (given: unknown) => unknown;

/**
 * Returns a function that corrects common forms of a tool's arguments from models and clients. A missing
 * value, `null`, an empty text and an empty list mean no arguments. An object may be given as text. For an
 * optional argument, `null` means absent, and so does an empty text if another type is expected. Numbers,
 * booleans and lists may be given as text. Everything else stays as it is, for the schema to refuse.
 */
export function argumentReader(schema: z.ZodType): ReadArguments {
  const { properties, required } = argumentsSchema.parse(z.toJSONSchema(schema, { io: "input" }));
  return (given) => {
    const whole = objectIn(given);
    if (whole === undefined) return given;
    const entries = Object.entries(whole).flatMap(([name, value]): [string, unknown][] => {
      const type = Object.hasOwn(properties, name) ? properties[name]?.type : "";
      if (type === "" || type === undefined) return [[name, value]];
      const isAbsent = value === null || (value === "" && type !== "string");
      if (isAbsent && !required.includes(name)) return [];
      return [[name, typeof value === "string" ? meant(value, type) : value]];
    });
    return Object.fromEntries(entries);
  };
}

function objectIn(given: unknown, depth = 0): object | undefined {
  if (given === undefined || given === null) return {};
  if (Array.isArray(given)) return given.length === 0 ? {} : undefined;
  if (typeof given === "object") return given;
  if (typeof given !== "string") return undefined;
  if (given.trim() === "") return {};
  const value = depth < MAX_STRING_DEPTH ? json(given) : undefined;
  return value === undefined ? undefined : objectIn(value, depth + 1);
}

/** Converts a text to the expected type. */
function meant(text: string, type: string): unknown {
  const trimmed = text.trim();
  switch (type) {
    case "integer":
    case "number":
      return /^-?\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : text;
    case "boolean":
      return trimmed === "true" || trimmed === "false" ? trimmed === "true" : text;
    case "array": {
      const list = trimmed.startsWith("[") ? json(trimmed) : undefined;
      return Array.isArray(list) ? list : [text];
    }
    case "object":
      return json(trimmed) ?? text;
    default:
      return text;
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
