import { z } from "zod";
import { FILES } from "./source-tree.ts";

const dependencies = z.record(z.string(), z.string()).default({});
const target = z.union([z.string(), z.record(z.string(), z.string())]);

const manifestSchema = z.object({
  name: z.string(),
  exports: target.optional(),
  bin: target.optional(),
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies,
  devDependencies: dependencies,
});

/** What a package.json says, and the folder that it stands in ("" for the workspace itself). */
export interface Manifest extends z.infer<typeof manifestSchema> {
  readonly folder: string;
}

/** Every package.json of the workspace. */
export const MANIFESTS: readonly Manifest[] = FILES.filter(({ path }) =>
  /^(?:[^/]+\/)?package\.json$/.test(path),
).map(({ folder, text }) => ({ ...manifestSchema.parse(JSON.parse(text)), folder }));

/** The workspace's own package.json: its devDependencies are there for every test and script. */
export const WORKSPACE = manifestOf("");

/** The package in a folder. */
export function manifestOf(folder: string): Manifest {
  const manifest = MANIFESTS.find((candidate) => candidate.folder === folder);
  if (manifest === undefined) throw new Error(`${folder || "the root"} has no package.json`);
  return manifest;
}

/** Files from which a package is entered: its exports, its programs, and what its scripts start. */
export function entriesOf(manifest: Manifest): string[] {
  const targets = [manifest.exports, manifest.bin].flatMap((value) =>
    typeof value === "object" ? Object.values(value) : [value ?? ""],
  );
  const started = Object.values(manifest.scripts).flatMap((script) => script.match(/[\w./-]+\.ts\b/g) ?? []);
  return [...targets, ...started]
    .filter((name) => name.endsWith(".ts"))
    .map((name) => (manifest.folder === "" ? name : `${manifest.folder}/${name.replace(/^\.\//, "")}`));
}
