import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { ROOT } from "../lockfile.ts";
import { PEERS, publishedName, REPOSITORY } from "./published.ts";

const names = z.record(z.string(), z.string()).default({});

const sourceSchema = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  engines: z.object({ node: z.string() }),
  exports: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  dependencies: names,
  optionalDependencies: names,
});

/** What a package.json of the workspace says to those who publish it. */
export type SourceManifest = z.infer<typeof sourceSchema>;

/** Reads the manifest of a folder of the workspace. */
export function readManifest(folder: string): SourceManifest {
  return sourceSchema.parse(JSON.parse(readFileSync(path.join(ROOT, folder, "package.json"), "utf8")));
}

/** Fields that every published package has. */
export function commonFields(
  { name, version, description, license, engines }: SourceManifest,
  folder: string,
) {
  return {
    name: publishedName(name),
    version,
    description,
    license,
    repository: { type: "git", url: REPOSITORY, directory: folder },
    type: "module",
    engines,
    publishConfig: { access: "public" },
    files: ["dist"],
  };
}

/** The manifest of a library: its entries are JavaScript with declarations, its peers a range. */
export function libraryManifest(source: SourceManifest, folder: string) {
  const { exports = {}, dependencies } = source;
  const entries = Object.entries(typeof exports === "string" ? { ".": exports } : exports).filter(
    ([, file]) => !file.includes("/testing/"),
  );
  const external = Object.entries(dependencies).filter(([name]) => !Object.hasOwn(PEERS, name));
  const peers = Object.entries(PEERS).filter(([name]) => Object.hasOwn(dependencies, name));
  return {
    ...commonFields(source, folder),
    sideEffects: false,
    exports: Object.fromEntries(entries.map(([entry, file]) => [entry, built(file)])),
    ...forOldCompilers(entries),
    dependencies: Object.fromEntries(
      external.map(([name, range]) =>
        // Ours are released together.
        range.startsWith("workspace:") ? [publishedName(name), source.version] : [name, range],
      ),
    ),
    ...(peers.length === 0 ? {} : { peerDependencies: Object.fromEntries(peers) }),
  };
}

/** A source file as its package has it. `default` also answers `require`: Node loads a module for it. */
function built(file: string): { readonly types: string; readonly default: string } {
  const place = file.replace("./src/", "./dist/").replace(/\.ts$/, "");
  return { types: `${place}.d.ts`, default: `${place}.js` };
}

/** The same for `moduleResolution: "node10"`, which TypeScript has up to version 6 and which reads no `exports`. */
function forOldCompilers(entries: readonly (readonly [string, string])[]) {
  const types = entries.map(([entry, file]) => [entry.replace("./", ""), [built(file).types]] as const);
  const [main] = entries.filter(([entry]) => entry === ".").map(([, file]) => built(file));
  const others = types.filter(([entry]) => entry !== ".");
  return {
    main: main?.default,
    types: main?.types,
    ...(others.length === 0 ? {} : { typesVersions: { "*": Object.fromEntries(others) } }),
  };
}
