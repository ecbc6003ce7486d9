import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { CmdopError } from "@cmdop/proto";
import { ADDON_HASHES } from "./addon-hashes.ts";

const platform = `${process.platform}-${process.arch}`;

/** Where the compiled terminal part of this platform is installed: a package of its own. @throws CmdopError NotFound */
export function addonFile(): string {
  try {
    return createRequire(import.meta.url).resolve(`@lydell/node-pty-${platform}/pty.node`);
  } catch (cause) {
    throw new CmdopError(
      "NotFound",
      `The part of cmdop that opens terminals is not installed for ${platform}.`,
      { cause, next: "Install cmdop again on this machine, with its optional dependencies." },
    );
  }
}

/**
 * Loads compiled code, but only such as was there when this version of cmdop was
 * made: the hash of what the package manager unpacked is looked at by nobody
 * after the installation. A program of this user may replace the file between the
 * look and the load; it may as well replace this file.
 * @throws CmdopError AccessDenied
 */
export function loadAddon(file: string, hash = ADDON_HASHES[platform]): unknown {
  const found = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (found !== hash) {
    throw new CmdopError(
      "AccessDenied",
      `${file} is not the compiled part that this version of cmdop was made with (SHA-256 ${found}, not ${hash ?? `known for ${platform}`}): it was changed or replaced, and is not loaded.`,
      { next: "Find out who could write it; then install cmdop again." },
    );
  }
  return createRequire(import.meta.url)(file);
}
