import { CmdopError, visible } from "@cmdop/proto";
import type { SkippedPath } from "../types.ts";
import { atOnce } from "./at-once.ts";
import { sourceName } from "./names.ts";
import { addEntry, isOfOne } from "./tree.ts";
import type { Source, Tree, TreeEntry } from "./types.ts";

/** Most sources that are examined at the same time. */
const LOOKS_IN_FLIGHT = 16;

/** One of several sources, and its name in the destination. */
interface Part {
  readonly source: Source;
  readonly name: string;
}

/**
 * Combines several sources into one directory that holds them by their names. A source without a name
 * (`dir/.`) adds its contents. A source that can't be read is passed over, like a file of a tree.
 */
export function severalSources(sources: readonly Source[], recursive: boolean): Source {
  const parts = sources.map((source) => ({ source, name: sourceName(source.path) }));
  const owners = new Map<string, Part>();
  const paths = sources.map(({ path }) => path).join(" ");
  return {
    path: paths,
    isSeveral: true,
    facts: async () => ({ type: "directory", size: 0, mode: 0, mtimeMs: 0 }),
    async tree(skipped) {
      const found = new Map<Part, Tree>();
      await atOnce(parts, LOOKS_IN_FLIGHT, async (part) => {
        const tree = await treeOf(part, recursive, skipped);
        if (tree !== undefined) found.set(part, tree);
      });
      const entries = merged(parts, found, owners);
      // The directory that they are put into is no source, so it keeps its own attributes.
      return { attributes: {}, entries };
    },
    open(path, turn) {
      const owner = owners.get(path);
      if (owner === undefined)
        throw new CmdopError("Internal", `${visible(path)} is of none of the sources.`);
      const { name, source } = owner;
      return source.open(name === "" ? path : path.slice(name.length + 1), turn);
    },
  };
}

async function treeOf(
  { source, name }: Part,
  recursive: boolean,
  skipped: (what: SkippedPath) => void,
): Promise<Tree | undefined> {
  try {
    const { type, ...facts } = await source.facts();
    if (type !== "directory") return { attributes: {}, entries: [{ path: name, type: "file", ...facts }] };
    if (!recursive) {
      skipped({
        path: source.path,
        reason: "failed",
        message: "It is a directory; use recursive to copy it.",
      });
      return undefined;
    }
    const { attributes, entries } = await source.tree(skipped);
    if (name === "") return { attributes, entries };
    const { mode = facts.mode, mtimeMs = facts.mtimeMs } = attributes;
    const below = entries.map((entry) => ({ ...entry, path: `${name}/${entry.path}` }));
    return { attributes, entries: [{ path: name, type: "directory", size: 0, mode, mtimeMs }, ...below] };
  } catch (thrown) {
    if (!isOfOne(thrown)) throw thrown;
    skipped({ path: source.path, reason: "failed", message: thrown.message });
    return undefined;
  }
}

/**
 * Returns all entries, and records each one's part in `owners`. Directories of one name are merged.
 * @throws CmdopError InvalidArgument where two sources have a file of one name
 */
function merged(
  parts: readonly Part[],
  found: ReadonlyMap<Part, Tree>,
  owners: Map<string, Part>,
): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const directories = new Set<string>();
  for (const part of parts) {
    for (const entry of found.get(part)?.entries ?? []) {
      const { path, type } = entry;
      if (type === "directory" && directories.has(path)) continue;
      if (owners.has(path)) throw clash(path);
      owners.set(path, part);
      if (type === "directory") directories.add(path);
      addEntry(entries, entry);
    }
  }
  return entries;
}

function clash(path: string): CmdopError {
  return new CmdopError("InvalidArgument", `Two of the sources would both become ${visible(path)}.`, {
    next: "Copy them one by one, or into different directories; nothing was copied.",
  });
}
