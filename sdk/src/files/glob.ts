import { CmdopError } from "@cmdop/proto";
import { atOnce } from "./transfer/at-once.ts";
import type { FileInfo, WalkOptions } from "./types.ts";

/** Most paths that a glob may match, since their list is held in memory. */
const MAX_MATCHES = 100_000;

/** Most directories that are read at the same time. */
const DIRECTORIES_IN_FLIGHT = 16;

/** Function that finds a directory's entries by their names. */
export type WalkDirectory = (path: string, options: WalkOptions) => AsyncIterable<FileInfo>;

/** Implements `Files.glob`. */
export async function matchGlob(walk: WalkDirectory, glob: string): Promise<string[]> {
  const segments = glob.split("/");
  const first = segments.findIndex(isMagic);
  if (first === -1) return [literal(glob)];
  const search = new GlobSearch(walk);
  let found = [literal(segments.slice(0, first).join("/"))];
  for (const segment of segments.slice(first)) {
    if (["", ".", ".."].includes(segment)) found = await search.directories(found, segment);
    else found = await search.matches(found, segment);
    if (found.length > MAX_MATCHES) throw tooMany(glob);
  }
  if (found.length === 0 && search.denied !== undefined) throw search.denied;
  return found.sort();
}

/** Search for a glob's matches, one level at a time. */
class GlobSearch {
  readonly #walk: WalkDirectory;
  /** The first refusal to read a directory. */
  denied: CmdopError | undefined;

  constructor(walk: WalkDirectory) {
    this.#walk = walk;
  }

  /** Returns the entries of the directories whose names match the segment. */
  async matches(directories: readonly string[], segment: string): Promise<string[]> {
    const found: string[] = [];
    await atOnce(directories, DIRECTORIES_IN_FLIGHT, async (directory) => {
      for (const name of (await this.#names(directory, segment)) ?? []) {
        // As in a shell, hidden names match only a segment that begins with a dot.
        if (!name.startsWith(".") || segment.startsWith(".")) found.push(`${directory}/${name}`);
      }
    });
    return found;
  }

  /** Returns those of the paths that are directories, with `behind` appended. */
  async directories(paths: readonly string[], behind: string): Promise<string[]> {
    const found: string[] = [];
    await atOnce(paths, DIRECTORIES_IN_FLIGHT, async (path) => {
      if ((await this.#names(path, "/")) !== undefined) found.push(`${path}/${behind}`);
    });
    return found;
  }

  /** Returns the matching names in a directory; undefined if it is none. */
  async #names(directory: string, segment: string): Promise<string[] | undefined> {
    const names: string[] = [];
    try {
      const options = { depth: 1, name: machineGlob(segment) };
      for await (const { name } of this.#walk(directory === "" ? "/" : directory, options)) names.push(name);
      return names;
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      if (error.code === "NotFound" || error.code === "NotADirectory") return undefined;
      if (error.code !== "AccessDenied") throw thrown;
      this.denied ??= error;
      return undefined;
    }
  }
}

/** Special characters in a name: `*`, `?`, or a `[` that is closed. */
const MAGIC = /(?<!\\)(?:\\\\)*(?:[*?]|\[[!^]?\]?[^\]]*\])/;

function isMagic(segment: string): boolean {
  return MAGIC.test(segment);
}

/** Removes the escapes from a path. A backslash before any other character stands for itself. */
function literal(path: string): string {
  return path.replaceAll(/\\([*?[\]\\])/g, "$1");
}

/**
 * Converts a segment to the machine's globs, which also know braces, and where a backslash escapes any
 * character.
 */
function machineGlob(segment: string): string {
  return segment.replaceAll(
    /\\x(?:[89A-F][0-9A-F]|5C)|\\[*?[\]\\]|(\[[!^]?\]?[^\]]*\])|[{}[\\]/gi,
    (part: string, set: string | undefined) => (set !== undefined || part.length > 1 ? part : `\\${part}`),
  );
}

function tooMany(glob: string): CmdopError {
  return new CmdopError("LimitExceeded", `${JSON.stringify(glob)} matches more than ${MAX_MATCHES} paths.`, {
    next: "Copy the whole directory, or use a narrower glob.",
  });
}
