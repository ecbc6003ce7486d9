import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { ATTACKS } from "./attacks.ts";
import { ROOT } from "./lockfile.ts";
import { SECURITY_TESTS, securityTests } from "./security-tests.ts";

const rows = Object.values(ATTACKS).flat();

/** How often this stands in the file; a title, or its part, stands there once. */
function occurrences(file: string, title: string): number {
  const at = path.join(ROOT, file);
  return existsSync(at) ? readFileSync(at, "utf8").split(title).length - 1 : 0;
}

it("every attack in the list has its test, under this title", () => {
  const missing = rows
    .filter(({ file, test }) => occurrences(file, test) !== 1)
    .map(({ file, test }) => `${file}: ${test}`);
  expect(missing, "Correct the row in scripts/attacks.ts, or write the test.").toEqual([]);
});

it("a test that is not there is found out", () => {
  expect(occurrences("e2e/hostile.test.ts", "no such title")).toBe(0);
  expect(occurrences("e2e/nowhere.test.ts", "garbage")).toBe(0);
});

it("no attack is listed twice", () => {
  const attacks = rows.map(({ attack }) => attack);
  expect(attacks.filter((attack, at) => attacks.indexOf(attack) !== at)).toEqual([]);
});

it("docs/security-tests.md says what the list says", () => {
  expect(readFileSync(SECURITY_TESTS, "utf8"), "Run npm run security-tests.").toBe(securityTests());
});
