import { z } from "zod";

/** JSON in a string of JSON, and that once more: deeper is no mistake any more. */
const MAX_STRING_DEPTH = 2;

/** What is looked at of a tool's JSON Schema: the properties of its arguments, one level of them. */
const argumentsSchema = z.object({
  properties: z.record(z.string(), z.object({ type: z.string().optional() })).default({}),
  required: z.array(z.string()).default([]),
});

/** Takes a tool's arguments as they came, gives them as they were meant. */
export type ReadArguments = (given: unknown) => unknown;

/**
 * Reads what models and clients send as a tool's arguments: none at all, `null`,
 * an empty text or list are no arguments; an object may come as text; `null` for
 * an optional one means that it is absent, as an empty text does for one that is
 * no text; numbers, booleans and lists may come as text. All else stays as it is,
 * for the schema to refuse.
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
  return depth < MAX_STRING_DEPTH ? objectIn(json(given) ?? 0, depth + 1) : undefined;
}

/** A text where another type is wanted. */
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
