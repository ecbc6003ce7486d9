import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bundle } from "../bundle.ts";
import { commitNow } from "../commit.ts";
import { ROOT } from "../lockfile.ts";
import { licenceTexts } from "../release/licence-texts.ts";
import { commonFields, libraryManifest, readManifest } from "./manifest.ts";
import { withPublishedImports } from "./published.ts";

/** The SDK, and what it imports of ours. */
const LIBRARIES = ["kit", "proto", "sdk"];

/** The command, with MCP server, relay and agent, in one package. */
const PROGRAM = "cli";

const TSC = path.join(ROOT, "node_modules/.bin/tsc");

/** Makes the packages of the SDK, each in a directory of its own below `target`, ready for `npm pack`. */
export function buildLibraries(target: string): void {
  const emitted = mkdtempSync(path.join(target, ".emitted-"));
  try {
    execFileSync(TSC, ["-p", path.join(import.meta.dirname, "tsconfig.json"), "--outDir", emitted], {
      stdio: "inherit",
    });
    for (const folder of LIBRARIES) {
      const place = path.join(target, folder);
      cpSync(path.join(emitted, folder, "src"), path.join(place, "dist"), { recursive: true });
      publishImports(path.join(place, "dist"));
      write(place, "package.json", json(libraryManifest(readManifest(folder), folder)));
      copyDocuments(folder, place);
    }
  } finally {
    rmSync(emitted, { recursive: true });
  }
}

/** Makes the package of the command, beside them. */
export async function buildProgramPackage(target: string): Promise<void> {
  const place = path.join(target, "cmdop");
  const metafile = await bundle(path.join(place, "dist"), { ...commitNow(), releaseKey: null });
  write(place, "dist/LICENCES.txt", licenceTexts(metafile));
  const manifest = {
    ...commonFields(readManifest(PROGRAM), PROGRAM),
    bin: { cmdop: "dist/main.js" },
    // The compiled part, which opens terminals, is the platform's own; all else is in the bundle.
    optionalDependencies: readManifest("agent").optionalDependencies,
  };
  write(place, "package.json", json(manifest));
  copyDocuments(PROGRAM, place);
}

function publishImports(directory: string): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (!/\.[jt]s$/.test(name)) continue;
    const file = path.join(directory, name);
    writeFileSync(file, withPublishedImports(readFileSync(file, "utf8")));
  }
}

function copyDocuments(folder: string, place: string): void {
  cpSync(path.join(ROOT, "LICENSE"), path.join(place, "LICENSE"));
  cpSync(path.join(ROOT, folder, "README.md"), path.join(place, "README.md"));
}

function write(place: string, name: string, text: string): void {
  writeFileSync(path.join(place, name), text);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
