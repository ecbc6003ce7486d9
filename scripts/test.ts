import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

/**
 * What `npm test` runs once the dependencies are there: every check, the cheap
 * ones first, up to the first that fails. Arguments go to vitest:
 * `npm test -- relay/src/data`.
 */
const root = join(import.meta.dirname, "..");
const bin = join(root, "node_modules", ".bin");

const steps: { title: string; program: string; args: string[] }[] = [
  { title: "Format and lint (biome)", program: "biome", args: ["check", "--error-on-warnings", "."] },
  { title: "Types (tsc)", program: "tsc", args: ["--noEmit"] },
  { title: "Protocol style (buf lint)", program: "buf", args: ["lint", "proto"] },
  {
    title: "Generated code is up to date",
    program: process.execPath,
    args: [join(import.meta.dirname, "check-generated.ts")],
  },
  { title: "Tests (vitest)", program: "vitest", args: ["run", ...process.argv.slice(2)] },
];

for (const { title, program, args } of steps) {
  console.log(`\n── ${title}`);
  const { status, signal, error } = spawnSync(program, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` },
  });
  if (status !== 0) {
    const why = error?.message ?? (signal === null ? `exit code ${status}` : `signal ${signal}`);
    console.error(`\n✗ ${title}: ${why}`);
    process.exit(status ?? 1);
  }
}
console.log("\n✓ Everything holds.");
