import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Built, bundle, copyAddon } from "../bundle.ts";
import { unpackLocked } from "../locked-tarball.ts";
import { type Lockfile, ROOT } from "../lockfile.ts";
import { type DebianPackage, fetchLibraries } from "./debian-libraries.ts";
import { licenceTexts } from "./licence-texts.ts";
import { INTERPRETER_BYTES, ownLibraries } from "./node-binary.ts";
import type { Platform } from "./platform.ts";

/** Parts of an archive that other projects made. */
export interface Inputs {
  readonly node: string;
  readonly addon: string;
  readonly libraries: ReturnType<typeof fetchLibraries>;
  readonly debianPackages: readonly DebianPackage[];
}

/** Fetches them into a cache: Node and the terminal part by the lockfile's hashes, the C library by Debian's. */
export function fetchInputs(platform: Platform, lockfile: Lockfile, cache: string): Inputs {
  const locked = (name: string): string => {
    const found = [...lockfile.packages.values()].find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`The lockfile has no ${name}.`);
    return unpackLocked(found, path.join(cache, "packages"));
  };
  const libraries = fetchLibraries(platform, cache);
  return {
    node: locked(`node-${platform.name}`),
    addon: locked(`@lydell/node-pty-${platform.name}`),
    libraries,
    debianPackages: libraries.packages,
  };
}

/** Makes the directory that an archive holds. The same inputs and the same source give the same files. */
export async function makeArchive(
  directory: string,
  platform: Platform,
  inputs: Inputs,
  version: string,
  built: Built,
): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const at = (name: string): string => path.join(directory, name);
  for (const place of ["bin", "lib", "licences"]) mkdirSync(at(place), { recursive: true });
  const offset = ownLibraries(path.join(inputs.node, "bin/node"), at("bin/node"), platform);
  inputs.libraries.copyTo(at("lib"));
  writeFileSync(at("lib/interpreter"), `${offset} ${INTERPRETER_BYTES} ${platform.loader}\n`);
  const metafile = await bundle(at("program"), built);
  copyAddon(inputs.addon, at("program"));
  writeFileSync(
    at("package.json"),
    `${JSON.stringify({ name: "cmdop", version, type: "module", license: "MIT" }, null, 2)}\n`,
  );
  for (const [source, name] of [
    ["launcher.sh", "bin/cmdop"],
    ["relocate.sh", "relocate.sh"],
  ] as const) {
    copyFileSync(path.join(import.meta.dirname, source), at(name));
    chmodSync(at(name), 0o755);
  }
  copyFileSync(path.join(ROOT, "LICENSE"), at("licences/cmdop.txt"));
  copyFileSync(path.join(inputs.node, "LICENSE"), at("licences/node.txt"));
  writeFileSync(at("licences/packages.txt"), licenceTexts(metafile));
  inputs.libraries.copyNoticesTo(at("licences"));
}
