import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cliReference, REFERENCE } from "./cli-reference.ts";

it("docs/cli.md says what --help says: npm run cli-reference makes it anew", () => {
  expect(readFileSync(REFERENCE, "utf8")).toBe(cliReference());
});
