import { expect, it } from "vitest";
import { z } from "zod";
import { argumentReader } from "./tool-arguments.ts";

const read = argumentReader(
  z.object({
    path: z.string(),
    note: z.string().optional(),
    offset: z.int().min(0).optional(),
    all: z.boolean().optional(),
    globs: z.array(z.string()).optional(),
    env: z.record(z.string(), z.string()).optional(),
    kind: z.enum(["a", "b"]).optional(),
    either: z.union([z.string(), z.number()]).optional(),
  }),
);

it.each([undefined, null, "", "  ", "null", '""', [], {}])("%j is no arguments", (given) => {
  expect(read(given)).toEqual({});
});

it.each<[unknown, object]>([
  [{ path: "/a", note: null, offset: null, all: null, globs: null }, { path: "/a" }],
  [{ path: "/a", offset: "", all: "", globs: "" }, { path: "/a" }],
  [
    { path: "", note: "" },
    { path: "", note: "" },
  ],
  ['{"path": "/a"}', { path: "/a" }],
  [JSON.stringify('{"path": "/a"}'), { path: "/a" }],
  [
    { path: "/a", offset: "5", all: "true" },
    { path: "/a", offset: 5, all: true },
  ],
  [
    { path: "/a", globs: "*.ts" },
    { path: "/a", globs: ["*.ts"] },
  ],
  [
    { path: "/a", globs: '["*.ts", "*.md"]' },
    { path: "/a", globs: ["*.ts", "*.md"] },
  ],
  [
    { path: "/a", env: '{"A": "1"}' },
    { path: "/a", env: { A: "1" } },
  ],
  // These are left to the schema.
  [
    { path: null, other: null, offset: "5 MB", all: "yes" },
    { path: null, other: null, offset: "5 MB", all: "yes" },
  ],
  [
    { path: 5, kind: "c", either: "5" },
    { path: 5, kind: "c", either: "5" },
  ],
])("reads %j as it was meant", (given, expected) => {
  expect(read(given)).toEqual(expected);
});

it.each([7, true, [1], "no JSON", '"text"', JSON.stringify(JSON.stringify('{"path": "/a"}'))])(
  "%j is nothing that could have been meant, and stays",
  (given) => {
    expect(read(given)).toBe(given);
  },
);

it("a name that every object has is no property", () => {
  expect(read(JSON.parse('{"path": "/a", "__proto__": null, "constructor": null}'))).toEqual(
    JSON.parse('{"path": "/a", "__proto__": null, "constructor": null}'),
  );
});
