import { readFileSync } from "node:fs";
import path from "node:path";

const README = path.join(import.meta.dirname, "../../README.md");

/** The examples of README in TypeScript, in their order. */
export function readmeBlocks(): string[] {
  const text = readFileSync(README, "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
}

/** What examples take for given, beside the names of `Given` in the program. */
const IMPORTS = [
  'import { randomUUID } from "node:crypto";',
  'import { createReadStream } from "node:fs";',
  'import { CMDOPClient } from "@cmdop/sdk";',
  'import { z } from "zod";',
];

/**
 * A program that runs the paragraphs of these examples, one after the other. Each is a function of its own, so
 * that CommonJS takes its `await`. A terminal ends when its first output was shown: README's reader never leaves it.
 */
export function readmeProgram(blocks: readonly string[]): string {
  const imports = new Set([...IMPORTS, ...blocks.flatMap((code) => code.match(/^import .*;$/gm) ?? [])]);
  const examples = blocks.flatMap(paragraphs);
  return `${[...imports].join("\n")}

interface Given { server: CMDOPClient; config: string; signal: AbortSignal; jobId: string; runId: string }

const examples: readonly { code: string; run: (given: Given) => Promise<void> }[] = [
${examples.map(exampleText).join(",\n")}
];

async function main(): Promise<void> {
  const server = CMDOPClient.remote({ apiKey: process.env.CMDOP_API_KEY });
  const endTerminals = async () => {
    for (const job of await server.terminal.jobs({ kind: "session" })) {
      await server.terminal.sendSignal(job.jobId, "SIGHUP").catch((thrown) => {
        if (thrown.code !== "JobEnded") throw thrown;
      });
    }
  };
  let ended = Promise.resolve();
  for (const { code, run } of examples) {
    const [config, runId] = ["port = 80\\n", randomUUID()];
    const { jobId } = await server.terminal.execute("true");
    if (code.includes("agent.resume(runId)")) await server.agent.run("Say something", { runId });
    const write = () => {
      if (code.includes("attach()")) ended = ended.then(endTerminals);
      return true;
    };
    Object.assign(process.stdout, { write });
    console.error(code.trim().split("\\n")[0]);
    await run({ server, config, signal: AbortSignal.timeout(60_000), jobId, runId });
    await ended;
  }
  await server.close();
  console.error(\`all \${examples.length} ran\`);
}

main().catch((thrown) => {
  console.error(thrown);
  process.exitCode = 1;
});
`;
}

/** An example that imports is a program, whole; others are statements, of which a paragraph can be had without the rest. */
function paragraphs(code: string): string[] {
  const statements = code.replace(/^import .*;$/gm, "");
  const parts = statements === code ? statements.split(/\n{2,}/) : [statements];
  return parts.filter((part) => /^[^\s/]/m.test(part));
}

/** In a block of its own, an example may declare what is given. */
function exampleText(code: string): string {
  return `  { code: ${JSON.stringify(code)}, run: async ({ server, config, signal, jobId, runId }) => {{
${code}
  }}}`;
}
