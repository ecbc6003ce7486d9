import { writeFileSync } from "node:fs";
import path from "node:path";
import { ATTACKS } from "./attacks.ts";
import { ROOT } from "./lockfile.ts";

/** Where the list is for people to read. */
export const SECURITY_TESTS = path.join(ROOT, "docs", "security-tests.md");

/** The list as Markdown. */
export function securityTests(attacks = ATTACKS): string {
  const tables = Object.entries(attacks).map(([who, rows]) => {
    const cells = rows.map(({ attack, file, test }) => [
      attack,
      `\`${file}\`: ${test}`.replaceAll("|", "\\|"),
    ]);
    return `## ${who}\n\n${table([["attack", "refused, as this test shows"], ...cells])}`;
  });
  return `# Attacks, and the tests that show them refused

Made of \`scripts/attacks.ts\` by \`npm run security-tests\`; a test fails where a row's test is not there.

${tables.join("\n\n")}
`;
}

/** Aligned as the formatter wants it; the first row is the head. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [head, widths.map((width) => "-".repeat(width)), ...body].map(line).join("\n");
}

if (import.meta.main) writeFileSync(SECURITY_TESTS, securityTests());
