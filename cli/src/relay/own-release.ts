import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { MANIFEST_FILE } from "@cmdop/proto";

/**
 * Returns the directory of the release that the running cmdop was installed from, which the installer has kept
 * (PREFIX/releases/NAME beside PREFIX/versions/NAME); undefined for one that came another way.
 */
export function ownRelease(program = import.meta.filename): string | undefined {
  const [, prefix, name] = /^(.*)\/versions\/([^/]+)\//.exec(realpathSync(program)) ?? [];
  if (prefix === undefined || name === undefined) return undefined;
  const directory = path.join(prefix, "releases", name);
  return existsSync(path.join(directory, MANIFEST_FILE)) ? directory : undefined;
}
