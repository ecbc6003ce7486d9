import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { unpackLocked } from "./locked-tarball.ts";
import { type LockedPackage, readLockfile } from "./lockfile.ts";

/**
 * Writes agent/src/jobs/session/addon-hashes.ts: the hash of the compiled
 * terminal part for each platform, out of the tarballs whose hashes the lockfile
 * has. To be run when the lockfile names another version: npm run addon-hashes.
 */
const TARGET = path.join(import.meta.dirname, "../agent/src/jobs/session/addon-hashes.ts");

/** Those on which an agent runs. */
const PLATFORM = /^@lydell\/node-pty-((?:linux|darwin)-\w+)$/;

function hashOf(locked: LockedPackage, directory: string): string {
  const addon = readFileSync(path.join(unpackLocked(locked, directory), "pty.node"));
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
