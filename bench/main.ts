import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { toJson, toTable } from "./src/report.ts";
import type { Suite } from "./src/suite.ts";
import { agent } from "./src/suites/agent.ts";
import { bulk } from "./src/suites/bulk.ts";
import { echo } from "./src/suites/echo.ts";
import { exec } from "./src/suites/exec.ts";
import { scale } from "./src/suites/scale.ts";
import { soak } from "./src/suites/soak.ts";
import { wan } from "./src/suites/wan.ts";

/** Every suite, in the order in which they run. */
const SUITES: readonly Suite[] = [exec, echo, bulk, wan, scale, agent, soak];

/** Of a soak, unless --minutes says otherwise. */
const SOAK_MINUTES = 20;

const USAGE = `Usage: npm run bench -- [suite…] [--json] [--minutes N]

Suites:
${SUITES.map(({ name, about }) => `  ${name.padEnd(8)}${about}`).join("\n")}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    minutes: { type: "string", default: String(SOAK_MINUTES) },
  },
});
const minutes = Number(values.minutes);
const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name));
if (values.help) {
  console.log(USAGE);
} else if (!(minutes > 0)) {
  console.error(`--minutes takes a number of minutes, not ${values.minutes}.`);
  process.exitCode = 2;
} else if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(", ")}.\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  const chosen = SUITES.filter(({ name, onlyWhenNamed = false }) =>
    positionals.length === 0 ? !onlyWhenNamed : positionals.includes(name),
  );
  const results: Record<string, unknown[]> = {};
  for (const suite of chosen) {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-bench-"));
    try {
      const rows = await suite.run({ directory, minutes, progress: (what) => console.error(`· ${what}`) });
      if (values.json) results[suite.name] = toJson(rows);
      else console.log(`\n${suite.name}: ${suite.about}\n${toTable(rows)}\n`);
    } finally {
      await rm(directory, { recursive: true });
    }
  }
  if (values.json) {
    const machine = { cpus: os.availableParallelism(), model: os.cpus()[0]?.model, node: process.version };
    console.log(JSON.stringify({ machine, suites: results }, null, 2));
  }
}
