import { expect, it } from "vitest";
import { compileSchema } from "./output-schema.ts";

const health = JSON.stringify({
  type: "object",
  properties: { status: { type: "string" }, issues: { type: "array", items: { type: "string" } } },
  required: ["status", "issues"],
  additionalProperties: false,
});

it("reads an answer that matches, also in a code fence", () => {
  const schema = compileSchema(health);
  const output = { status: "ok", issues: ["disk"] };
  expect(schema.read(JSON.stringify(output))).toEqual({ ok: true, output });
  expect(schema.read(`\n\`\`\`json\n${JSON.stringify(output)}\n\`\`\`\n`)).toEqual({ ok: true, output });
});

it.each([
  ["", "not JSON"],
  ["All is well.", "not JSON"],
  ['{"status": 7, "issues": []}', "status"],
  ['{"status": "ok"}', "issues"],
  ['{"status": "ok", "issues": [], "more": 1}', "more"],
])("says what is wrong with %j", (answer, errors) => {
  expect(compileSchema(health).read(answer)).toEqual({ ok: false, errors: expect.stringContaining(errors) });
});

it.each([
  ["", "JSON"],
  ["7", "object"],
  ['{"type": "string"}', "object"],
  ['{"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}', "nowhere"],
])("refuses the schema %j", (text, why) => {
  expect(() => compileSchema(text)).toThrow(
    expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(why) }),
  );
});

it("promise 9: a pattern that would take for ever is given up, and the process goes on", () => {
  const schema = compileSchema(
    JSON.stringify({ type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }),
  );
  expect(schema.read(JSON.stringify({ a: "aaa" })).ok).toBe(true);
  expect(schema.read(JSON.stringify({ a: `${"a".repeat(60)}!` }))).toEqual({
    ok: false,
    errors: expect.stringContaining("took more than"),
  });
});
