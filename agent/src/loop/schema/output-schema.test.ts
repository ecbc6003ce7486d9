import { expect, it } from "vitest";
import { LOOP_LIMITS } from "../limits.ts";
import { parseSchema } from "./output-schema.ts";

/** Makes nested objects, with this many levels below the first. */
function nested(levels: number): string {
  return `${'{"type": "object", "a": '.repeat(levels)}{}${"}".repeat(levels)}`;
}

it.each([
  ["", "JSON"],
  ["7", "object"],
  ['{"type": "string"}', "object"],
  [nested(LOOP_LIMITS.maxSchemaDepth + 1), "deeper than 64 levels"],
  [`{"type": "object", "a": ${"[".repeat(30_000)}${"]".repeat(30_000)}}`, "deeper than 64 levels"],
  [JSON.stringify({ type: "object", enum: Array(LOOP_LIMITS.maxSchemaParts).fill(0) }), "more than 4000"],
])("refuses the schema %j before anything is made of it", (text, why) => {
  expect(() => parseSchema(text)).toThrow(
    expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(why) }),
  );
});

it("takes a schema that is as large as it may be", () => {
  const wide = JSON.stringify({ type: "object", enum: Array(LOOP_LIMITS.maxSchemaParts - 2).fill(0) });
  expect(parseSchema(wide).text).toBe(wide);
  expect(parseSchema(nested(LOOP_LIMITS.maxSchemaDepth)).json).toHaveProperty("type", "object");
});
