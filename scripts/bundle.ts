import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { build } from "esbuild";
import { z } from "zod";
import { AGENT_ENTRIES } from "../agent/src/entries.ts";
import { ROOT } from "./lockfile.ts";

/** Where `npm run build` puts the program: what tests start, and archives hold. */
export const PROGRAM = path.join(ROOT, "dist", "program");

/** The file to start it by. */
export const PROGRAM_MAIN = path.join(PROGRAM, "main.js");

/** Node's name of a platform: `linux-x64`. */
export const OWN_PLATFORM = `${process.platform}-${process.arch}`;

/** Bundled CommonJS asks for Node's own modules by `require`, which a module does not have. */
const BANNER = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url);`;

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

/**
 * Makes one directory of the whole program: the command, and all that it starts
 * in processes and threads, each in a file of its own; what they share and what
 * only some commands need is in chunks. No path of this machine gets into it.
 */
export async function bundle(target: string, addon = OWN_PLATFORM): Promise<void> {
  const agentEntries = Object.values(AGENT_ENTRIES).map((entry) => [entry, `agent/src/${entry}.ts`]);
  await build({
    absWorkingDir: ROOT,
    entryPoints: {
      main: "cli/src/main.ts",
      // Files are looked for from where this one is: as an entry it stays at the top.
      entries: "agent/src/entries.ts",
      ...Object.fromEntries(agentEntries),
    },
    outdir: target,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js: BANNER },
    legalComments: "none",
    logLevel: "warning",
  });
  const manifest = manifestSchema.parse(
    JSON.parse(readFileSync(path.join(ROOT, "cli", "package.json"), "utf8")),
  );
  writeFileSync(
    path.join(target, "package.json"),
    `${JSON.stringify({ ...manifest, type: "module" }, null, 2)}\n`,
  );
  copyAddon(addon, target);
}

/** Makes the program anew in its place. Processes that run from the old one find their chunks: names have a hash. */
export async function buildProgram(): Promise<void> {
  mkdirSync(path.dirname(PROGRAM), { recursive: true });
  const scratch = mkdtempSync(`${PROGRAM}-`);
  const [fresh, old] = [path.join(scratch, "fresh"), path.join(scratch, "old")];
  try {
    await bundle(fresh);
    if (existsSync(PROGRAM)) renameSync(PROGRAM, old);
    renameSync(fresh, PROGRAM);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The compiled part that opens terminals, where the program asks for it. */
function copyAddon(platform: string, target: string): void {
  const name = `@lydell/node-pty-${platform}`;
  const agent = createRequire(path.join(ROOT, "agent", "package.json"));
  const source = path.dirname(agent.resolve(`${name}/package.json`));
  const place = path.join(target, "node_modules", name);
  mkdirSync(place, { recursive: true });
  for (const file of ["package.json", "pty.node"]) {
    cpSync(path.join(source, file), path.join(place, file));
  }
}

if (import.meta.main) await buildProgram();
