import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { parseYaml } from "./yaml.ts";

/** One package of the lockfile. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** As npm writes it: an algorithm, a dash, a hash in base64. */
  readonly integrity: string;
  /** Keys of what it depends on. */
  readonly dependsOn: readonly string[];
}

/** A package of the workspace, and the keys of what it depends on. */
export interface Importer {
  /** Its folder; "." for the workspace itself. */
  readonly folder: string;
  readonly runtime: readonly string[];
  readonly development: readonly string[];
  /** Folders of those of ours that it depends on at run time. */
  readonly links: readonly string[];
}

/** What `pnpm-lock.yaml` says. A key is a package's name and version; what its peers are makes no difference. */
export interface Lockfile {
  readonly packages: ReadonlyMap<string, LockedPackage>;
  readonly importers: readonly Importer[];
}

/** The repository. */
export const ROOT = path.join(import.meta.dirname, "..");

const names = z.record(z.string(), z.string()).default({});
const specified = z.record(z.string(), z.object({ version: z.string() })).default({});

const lockfileSchema = z.object({
  lockfileVersion: z.literal("9.0"),
  importers: z.record(
    z.string(),
    z.object({ dependencies: specified, devDependencies: specified, optionalDependencies: specified }),
  ),
  packages: z.record(z.string(), z.object({ resolution: z.object({ integrity: z.string() }) })),
  snapshots: z.record(z.string(), z.object({ dependencies: names, optionalDependencies: names })),
});

/** Reads the lockfile. Throws where its form is another than the known one. */
export function readLockfile(text = readFileSync(path.join(ROOT, "pnpm-lock.yaml"), "utf8")): Lockfile {
  const { importers, packages, snapshots } = lockfileSchema.parse(parseYaml(text));
  const keyOf = (name: string, version: string): string => {
    const plain = withoutPeers(version);
    const key = Object.hasOwn(packages, `${name}@${plain}`) ? `${name}@${plain}` : plain;
    // Under an alias the version is the whole key.
    if (!Object.hasOwn(packages, key)) throw new Error(`The lockfile has no package ${key}.`);
    return key;
  };
  const dependsOn = new Map<string, Set<string>>();
  for (const [snapshot, { dependencies, optionalDependencies }] of Object.entries(snapshots)) {
    const key = withoutPeers(snapshot);
    const known = dependsOn.get(key) ?? new Set();
    dependsOn.set(key, known);
    for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      known.add(keyOf(name, version));
    }
  }
  const external = (of: z.infer<typeof specified>): string[] =>
    Object.entries(of)
      .filter(([, { version }]) => !version.startsWith(LINK))
      .map(([name, { version }]) => keyOf(name, version));
  return {
    packages: new Map(
      Object.entries(packages).map(([key, { resolution }]) => {
        const at = key.lastIndexOf("@");
        const [name, version] = [key.slice(0, at), key.slice(at + 1)];
        const { integrity } = resolution;
        return [key, { name, version, integrity, dependsOn: [...(dependsOn.get(key) ?? [])].sort() }];
      }),
    ),
    importers: Object.entries(importers).map(
      ([folder, { dependencies, devDependencies, optionalDependencies }]) => ({
        folder,
        runtime: external({ ...dependencies, ...optionalDependencies }),
        development: external(devDependencies),
        links: Object.values(dependencies)
          .filter(({ version }) => version.startsWith(LINK))
          .map(({ version }) => path.join(folder, version.slice(LINK.length))),
      }),
    ),
  };
}

/** A dependency on a package of the workspace: what follows is its folder, from the other's. */
const LINK = "link:";

function withoutPeers(version: string): string {
  const at = version.indexOf("(");
  return at === -1 ? version : version.slice(0, at);
}
