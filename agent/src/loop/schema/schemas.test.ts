import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import { parseSchema, schemaOf } from "./output-schema.ts";
import { Schemas } from "./schemas.ts";

const schemas = new Schemas();
const forever = new AbortController().signal;

const health = parseSchema(
  JSON.stringify({
    type: "object",
    properties: { status: { type: "string" }, issues: { type: "array", items: { type: "string" } } },
    required: ["status", "issues"],
    additionalProperties: false,
  }),
);
const catastrophe = parseSchema(
  JSON.stringify({ type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }),
);
const forAges = JSON.stringify({ a: `${"a".repeat(60)}!` });

it("reads an answer that matches, also in a code fence", async () => {
  await schemas.check("key", health, forever);
  const output = { status: "ok", issues: ["disk"] };
  const fenced = `\n\`\`\`json\n${JSON.stringify(output)}\n\`\`\`\n`;
  expect(await schemas.read("key", health, JSON.stringify(output), forever)).toEqual({ ok: true, output });
  expect(await schemas.read("key", health, fenced, forever)).toEqual({ ok: true, output });
});

it.each([
  ["words around it", 'Here is the JSON: {"status": "ok", "issues": []} I hope that it helps {smile}.'],
  ["a fence among words", 'Here is the JSON:\n```json\n{"status": "ok", "issues": []}\n```\nAnything else?'],
  ["a fence that never ends", '```json\n{"status": "ok", "issues": []}'],
  ["a byte order mark", '\ufeff{"status": "ok", "issues": []}'],
  ["a string that holds it", JSON.stringify('{"status": "ok", "issues": []}')],
  [
    "several fences",
    '```json\n{"status": 7}\n```\nor\n```json\n{"status": "ok", "issues": []}\n```\n```sh\nls\n```',
  ],
  [
    "a draft before it",
    'First {"status": "bad", "issues": []}. No: {"status": "ok", "issues": []} (not {}).',
  ],
  [
    "thoughts in its middle",
    'So <think>{"status": "bad", "issues": []}</think>{"status": "ok", "issues": []}',
  ],
  ["a quotation mark before it", 'The 5" one: {"status": "ok", "issues": []}'],
])("reads an answer with %s as a person would", async (_what, answer) => {
  const output = { status: "ok", issues: [] };
  expect(await schemas.read("key", health, answer, forever)).toEqual({ ok: true, output });
});

it.each([
  ["", "not JSON"],
  ["All is well.", "not JSON"],
  ['{"status": 7, "issues": []}', "status"],
  ['{"status": "ok"}', "issues"],
  ['{"status": "ok", "issues": [], "more": 1}', "more"],
])("says what is wrong with %j", async (answer, errors) => {
  expect(await schemas.read("key", health, answer, forever)).toEqual({
    ok: false,
    errors: expect.stringContaining(errors),
  });
});

it("reads what our own agents are to answer with just so", async () => {
  const plan = schemaOf(z.strictObject({ steps: z.array(z.string().min(1)).max(2) }));
  expect(await schemas.read("key", plan, '{"steps": ["a"]}', forever)).toEqual({
    ok: true,
    output: { steps: ["a"] },
  });
  expect((await schemas.read("key", plan, '{"steps": ["a", "b", "c"]}', forever)).ok).toBe(false);
});

it("refuses a schema whose references lead nowhere", async () => {
  const lost = parseSchema('{"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}');
  await expect(schemas.check("key", lost, forever)).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringContaining("nowhere"),
  });
});

it("promise 9: a check that would take for ever is given up; meanwhile and afterwards all goes on", async () => {
  const order: string[] = [];
  const hostile = schemas.read("hostile", catastrophe, forAges, forever).finally(() => order.push("hostile"));
  await sleep(1);
  order.push("the agent");
  expect(await hostile).toEqual({ ok: false, errors: expect.stringContaining("took more than") });
  expect(order).toEqual(["the agent", "hostile"]);
  expect((await schemas.read("key", health, '{"status": "ok", "issues": []}', forever)).ok).toBe(true);
});

it("keys take turns: one key's checks, however many, delay another's by one of them", async () => {
  const order: string[] = [];
  const ask = async (key: string, answer: string): Promise<void> => {
    await schemas.read(key, catastrophe, answer, forever);
    order.push(key);
  };
  await Promise.all([ask("hostile", forAges), ask("hostile", forAges), ask("key", '{"a": "aaa"}')]);
  expect(order).toEqual(["hostile", "key", "hostile"]);
});

it("a check ends with its caller", async () => {
  const leaving = new AbortController();
  const check = schemas.read("hostile", catastrophe, forAges, leaving.signal);
  leaving.abort();
  await expect(check).rejects.toThrow();
  expect((await schemas.read("key", catastrophe, '{"a": "aaa"}', forever)).ok).toBe(true);
});

it("what would fill the memory is given up", async () => {
  const long = "x".repeat(50_000);
  const items = { type: "object", properties: { a: { type: "string", default: long } } };
  const growing = parseSchema(
    JSON.stringify({ type: "object", properties: { all: { type: "array", items } } }),
  );
  const answer = JSON.stringify({ all: Array(100_000).fill({}) });
  expect(await schemas.read("hostile", growing, answer, forever)).toEqual({
    ok: false,
    errors: expect.any(String),
  });
});

it("an answer that is nested for ever is no answer", async () => {
  const anything = parseSchema('{"type": "object"}');
  const deep = `{"a": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  expect(await schemas.read("key", anything, deep, forever)).toEqual({
    ok: false,
    errors: expect.any(String),
  });
});
