import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Prints which modules of the AI SDK are loaded with the agent. */
const SCRIPT = `
  import { registerHooks } from "node:module";
  const asked = [];
  registerHooks({ resolve: (name, context, next) => (asked.push(name), next(name, context)) });
  await import(process.argv[1]);
  console.log(JSON.stringify({ all: asked.length, ai: asked.filter((name) => /^(ai|@ai-sdk\\/.*)$/.test(name)) }));
`;

it("an agent that runs no LLM does not load what calls one", async () => {
  const entry = path.resolve(import.meta.dirname, "../index.ts");
  const args = ["--input-type=module", "--eval", SCRIPT, entry];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { all, ai } = JSON.parse(stdout);
  expect(all).toBeGreaterThan(100);
  expect(ai).toEqual([]);
});
