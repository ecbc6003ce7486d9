import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { LockedPackage } from "./lockfile.ts";

/**
 * Fetches a package from the registry and unpacks it into a new directory, which
 * it returns: for packages of other platforms, which are not installed here.
 * Throws where it is not the one that the lockfile promises.
 */
export function unpackLocked({ name, version, integrity }: LockedPackage, directory: string): string {
  mkdirSync(directory, { recursive: true });
  execFileSync("npm", ["pack", "--silent", `${name}@${version}`, "--pack-destination", directory]);
  const plainName = name.replace("@", "").replace("/", "-");
  const tarball = path.join(directory, `${plainName}-${version}.tgz`);
  const got = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (got !== integrity) {
    throw new Error(`${name}@${version} is ${got}, but the lockfile promises ${integrity}: do not use it.`);
  }
  const unpacked = path.join(directory, `${plainName}-${version}`);
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", tarball, "-C", unpacked, "--strip-components=1"]);
  rmSync(tarball);
  return unpacked;
}
