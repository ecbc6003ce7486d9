import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Metafile } from "esbuild";
import { ROOT } from "../lockfile.ts";

/** A file in which a package says under what licence it is. */
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)/i;

/** The notices of all packages that a bundle has parts of, one after the other. */
export function licenceTexts({ inputs }: Metafile): string {
  const packages = new Set(
    Object.keys(inputs).flatMap((input) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input) ?? []),
  );
  return [...packages].sort().flatMap(noticesOf).join("\n");
}

function noticesOf(directory: string): string[] {
  const place = path.join(ROOT, directory);
  const name = directory.slice(directory.lastIndexOf("node_modules/") + "node_modules/".length);
  if (!existsSync(place)) return [];
  return readdirSync(place)
    .filter((file) => LICENCE_FILE.test(file))
    .sort()
    .map((file) => `==== ${name}: ${file}\n\n${readFileSync(path.join(place, file), "utf8").trim()}\n`);
}
