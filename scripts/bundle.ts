import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { z } from "zod";
import { AGENT_ENTRIES } from "../agent/src/entries.ts";
import { ROOT } from "./lockfile.ts";

/** Directory in which `npm run build:program` puts the program. Tests start it, and archives hold it. */
export const PROGRAM = path.join(ROOT, "dist", "program");

/** The file to start it by. */
export const PROGRAM_MAIN = path.join(PROGRAM, "main.js");

/** Bundled CommonJS asks for Node's own modules by `require`, which a module does not have. */
const BANNER = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url);`;

const nameSchema = z.object({ name: z.string() });

/** Facts about a build that its program knows (cli/src/build-info.ts). */
export interface Built {
  readonly commit: string;
  readonly committedAt: number;
  /** Null where no release key is to be known. */
  readonly releaseKey: string | null;
}

/**
 * Makes one directory of the whole program: the command, and all that it starts
 * in processes and threads, each in a file of its own; what they share and what
 * only some commands need is in chunks. No path of this machine gets into it.
 * The compiled part, which opens terminals, is added by `copyAddon`.
 */
export async function bundle(target: string, built?: Built): Promise<Metafile> {
  const agentEntries = Object.values(AGENT_ENTRIES).map((entry) => [entry, `agent/src/${entry}.ts`]);
  const { metafile } = await build({
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
    // Notices are kept whole, beside the program (scripts/release/licence-texts.ts).
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    plugins: built === undefined ? [] : [buildInfo(built)],
  });
  return metafile;
}

function buildInfo(built: Built): Plugin {
  return {
    name: "build-info",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\/cli\/src\/build-info\.json$/ }, () => ({
        contents: JSON.stringify(built),
        loader: "json",
      })),
  };
}

/** Makes the program anew in its place. Processes that run from the old one find their chunks: names have a hash. */
export async function buildProgram(): Promise<void> {
  mkdirSync(path.dirname(PROGRAM), { recursive: true });
  const scratch = mkdtempSync(`${PROGRAM}-`);
  const [fresh, old] = [path.join(scratch, "fresh"), path.join(scratch, "old")];
  try {
    await bundle(fresh);
    copyAddon(installedAddon(), fresh);
    if (existsSync(PROGRAM)) renameSync(PROGRAM, old);
    renameSync(fresh, PROGRAM);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The package with the compiled part for this platform. */
function installedAddon(): string {
  const agent = createRequire(path.join(ROOT, "agent", "package.json"));
  return path.dirname(agent.resolve(`@lydell/node-pty-${process.platform}-${process.arch}/package.json`));
}

/** Puts the package with the compiled part where the program asks for it, by its name. */
export function copyAddon(source: string, target: string): void {
  const { name } = nameSchema.parse(JSON.parse(readFileSync(path.join(source, "package.json"), "utf8")));
  const place = path.join(target, "node_modules", name);
  mkdirSync(place, { recursive: true });
  for (const file of ["package.json", "pty.node"]) cpSync(path.join(source, file), path.join(place, file));
}

if (import.meta.main) await buildProgram();
