import { expect, test } from "vitest";
import { listTools } from "./listing.ts";
import { dotted } from "./names.ts";
import { TOOLS } from "./tools.ts";

/** What the whole listing may take on the wire. */
const LISTING_BUDGET_BYTES = 20_500;

/**
 * What clients commonly put before a model, in every conversation: names,
 * descriptions and arguments, about 2,500 tokens. Raise it only for a tool that is worth it.
 */
const MODEL_BUDGET_BYTES = 9_900;

const listed = listTools(TOOLS);

test("the listing keeps its budgets", () => {
  const forModels = listed.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  expect(Buffer.byteLength(JSON.stringify({ tools: listed }))).toBeLessThanOrEqual(LISTING_BUDGET_BYTES);
  expect(Buffer.byteLength(JSON.stringify(forModels))).toBeLessThanOrEqual(MODEL_BUDGET_BYTES);
});

test("the listing carries nothing that only a validator would read", () => {
  const text = JSON.stringify(listed);
  for (const keyword of ["$schema", "9007199254740991", '"additionalProperties":false', "propertyNames"]) {
    expect(text).not.toContain(keyword);
  }
});

test("the dotted listing differs in names alone", () => {
  expect(listTools(TOOLS, "dotted")).toEqual(listed.map((tool) => ({ ...tool, name: dotted(tool.name) })));
});

test.each(listed)("$name has both schemas, a description and its hints", (tool) => {
  expect(tool.inputSchema.type).toBe("object");
  expect(tool.outputSchema.type).toBe("object");
  expect(tool.description.length).toBeGreaterThan(10);
  if (!tool.annotations.readOnlyHint) {
    expect(tool.annotations).toMatchObject({
      destructiveHint: expect.any(Boolean),
      idempotentHint: expect.any(Boolean),
    });
  }
});

test.each(listed.filter(({ name }) => name !== "machines_list"))(
  "$name takes a machine, and needs none",
  (tool) => {
    expect(tool.inputSchema).toMatchObject({ properties: { machine: { type: "string" } } });
    expect(tool.inputSchema.required ?? []).not.toContain("machine");
  },
);

test("what only reads says so, and only that", () => {
  const readers = listed.filter(({ annotations }) => annotations.readOnlyHint).map(({ name }) => name);
  expect(readers).toEqual([
    "terminal_wait",
    "files_list",
    "files_read",
    "files_search",
    "files_info",
    "agent_wait",
    "machines_list",
  ]);
});
