import { readFileSync } from "node:fs";
import path from "node:path";
import type { Artefact } from "../../proto/src/release/manifest.ts";

/** The installer of a release: the script beside this file, with the version and the hashes of its archives. */
export function installerText(version: string, archives: Readonly<Record<string, Artefact>>): string {
  const text = readFileSync(path.join(import.meta.dirname, "install.sh"), "utf8");
  const lines = Object.entries(archives).map(
    ([platform, { file, sha256 }]) => `${platform} ${file} ${sha256}`,
  );
  return text.replaceAll("@VERSION@", version).replace("@ARCHIVES@", lines.join("\n"));
}
