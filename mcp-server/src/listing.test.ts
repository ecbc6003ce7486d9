import { expect, test } from "vitest";
import { listTools } from "./listing.ts";
import { dotted } from "./names.ts";
import { TOOLS } from "./tools.ts";

/**
 * What the whole listing may cost every client in every conversation: about
 * 2,400 tokens at 4 bytes each. Raise it only for a tool that is worth it.
 */
const LISTING_BUDGET_BYTES = 9_600;

const listed = listTools(TOOLS);

test("the listing keeps its budget", () => {
  expect(Buffer.byteLength(JSON.stringify({ tools: listed }))).toBeLessThanOrEqual(LISTING_BUDGET_BYTES);
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
    expect(tool.inputSchema["required"] ?? []).not.toContain("machine");
  },
);

test("what only reads says so, and only that", () => {
  const readers = listed.filter(({ annotations }) => annotations.readOnlyHint).map(({ name }) => name);
  expect(readers).toEqual(["files_list", "files_read", "files_info", "machines_list"]);
});
