import { CmdopError, type Files } from "@cmdop/sdk";
import { printable } from "../console/printable.ts";
import type { CopyEnd } from "./copy-end.ts";

/** The sources of one machine, or of this computer. */
export interface SourceGroup {
  readonly machine: string | undefined;
  readonly paths: string[];
}

/** The sources by where they are, the patterns of machines replaced by what they match. `missing` is told what matches nothing. */
export async function findSources(
  sources: readonly CopyEnd[],
  filesOf: (machine: string) => Files,
  signal: AbortSignal,
  missing: (message: string) => void,
): Promise<SourceGroup[]> {
  const groups = new Map<string | undefined, SourceGroup>();
  for (const { machine, path } of sources) {
    const group = groups.get(machine) ?? { machine, paths: [] };
    groups.set(machine, group);
    if (machine === undefined) {
      group.paths.push(path);
      continue;
    }
    const found = await matches(filesOf(machine), path, signal);
    if (found.length === 0) missing(`Nothing on ${printable(machine)} matches ${printable(path)}.`);
    group.paths.push(...found);
  }
  return [...groups.values()].filter(({ paths }) => paths.length > 0);
}

async function matches(files: Files, path: string, signal: AbortSignal): Promise<string[]> {
  const found = await files.glob(path, { signal });
  if (found.length > 0) return found;
  // As scp does: what matches nothing is a name.
  try {
    await files.info(path, { signal });
    return [path];
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code === "NotFound" || code === "NotADirectory") return [];
    throw thrown;
  }
}
