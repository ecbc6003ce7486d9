import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type LockedPackage, readLockfile } from "./lockfile.ts";

/**
 * Writes agent/src/jobs/session/addon-hashes.ts: the hash of the compiled
 * terminal part for each platform, out of the tarballs whose hashes the lockfile
 * has. To be run when the lockfile names another version: npm run addon-hashes.
 */
const TARGET = path.join(import.meta.dirname, "../agent/src/jobs/session/addon-hashes.ts");

/** Those on which an agent runs. */
const PLATFORM = /^@lydell\/node-pty-((?:linux|darwin)-\w+)$/;

function hashOf({ name, version, integrity }: LockedPackage, directory: string): string {
  execFileSync("npm", ["pack", "--silent", `${name}@${version}`, "--pack-destination", directory]);
  const tarball = path.join(directory, `${name.slice(1).replace("/", "-")}-${version}.tgz`);
  const got = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (got !== integrity) {
    throw new Error(`${name}@${version} is ${got}, but the lockfile promises ${integrity}: do not use it.`);
  }
  const unpacked = path.join(directory, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", tarball, "-C", unpacked]);
  const addon = readFileSync(path.join(unpacked, "package", "pty.node"));
  rmSync(unpacked, { recursive: true });
  return createHash("sha256").update(addon).digest("hex");
}

const directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-addon-"));
try {
  const lines = [...readLockfile().packages.values()].flatMap((locked) => {
    const platform = PLATFORM.exec(locked.name)?.[1];
    return platform === undefined ? [] : `  "${platform}": "${hashOf(locked, directory)}",`;
  });
  writeFileSync(
    TARGET,
    `/** SHA-256 of the compiled terminal part for each platform; made by scripts/addon-hashes.ts from what the lockfile promises. */
export const ADDON_HASHES: Readonly<Record<string, string>> = {
${lines.join("\n")}
};
`,
  );
} finally {
  rmSync(directory, { recursive: true });
}
