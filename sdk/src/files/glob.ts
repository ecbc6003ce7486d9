import { CmdopError } from "@cmdop/proto";
import { atOnce } from "./transfer/at-once.ts";
import type { FileInfo, WalkOptions } from "./types.ts";

/** Paths that a glob may match: their list is held in memory. */
const MAX_MATCHES = 100_000;

/** Directories that are looked into at once. */
const DIRECTORIES_IN_FLIGHT = 16;

/** How a directory's entries are found by their names. */
export type WalkDirectory = (path: string, options: WalkOptions) => AsyncIterable<FileInfo>;

/** `Files.glob`. */
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

/** Goes down one level at a time. */
class GlobSearch {
  readonly #walk: WalkDirectory;
  /** What a directory could not be looked into for. */
  denied: CmdopError | undefined;

  constructor(walk: WalkDirectory) {
    this.#walk = walk;
  }

  /** What lies in the directories and has a name that the segment matches. */
  async matches(directories: readonly string[], segment: string): Promise<string[]> {
    const found: string[] = [];
    await atOnce(directories, DIRECTORIES_IN_FLIGHT, async (directory) => {
      for (const name of (await this.#names(directory, segment)) ?? []) {
        // As in a shell, what is hidden is matched only by what says so.
        if (!name.startsWith(".") || segment.startsWith(".")) found.push(`${directory}/${name}`);
      }
    });
    return found;
  }

  /** Those of the paths that are directories, with what stands behind them. */
  async directories(paths: readonly string[], behind: string): Promise<string[]> {
    const found: string[] = [];
    await atOnce(paths, DIRECTORIES_IN_FLIGHT, async (path) => {
      if ((await this.#names(path, "/")) !== undefined) found.push(`${path}/${behind}`);
    });
    return found;
  }

  /** The names in a directory that match; undefined where it is none. */
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

/** What means something in a name: `*`, `?`, or a `[` that is closed. */
const MAGIC = /(?<!\\)(?:\\\\)*(?:[*?]|\[[!^]?\]?[^\]]*\])/;

function isMagic(segment: string): boolean {
  return MAGIC.test(segment);
}

/** A path without its escapes. A backslash before anything else is one. */
function literal(path: string): string {
  return path.replaceAll(/\\([*?[\]\\])/g, "$1");
}

/** A segment as the machine's globs say it: those know braces, too, and take a backslash before everything for an escape. */
function machineGlob(segment: string): string {
  return segment.replaceAll(
    /\\[*?[\]\\]|(\[[!^]?\]?[^\]]*\])|[{}[\\]/g,
    (part: string, set: string | undefined) => (set !== undefined || part.length > 1 ? part : `\\${part}`),
  );
}

function tooMany(glob: string): CmdopError {
  return new CmdopError("LimitExceeded", `${JSON.stringify(glob)} matches more than ${MAX_MATCHES} paths.`, {
    next: "Copy the directory with all that is in it, or say more of the names.",
  });
}
