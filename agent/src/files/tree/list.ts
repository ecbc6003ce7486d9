import { posix } from "node:path";
import { CmdopError, pathText } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { describeOne, type Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import {
  DEFAULT_PAGE_ENTRIES,
  DESCRIPTIONS_IN_FLIGHT,
  ENTRY_OVERHEAD_BYTES,
  MAX_PAGE_BYTES,
  MAX_PAGE_ENTRIES,
} from "../place/limits.ts";
import { rawNames } from "../place/names.ts";
import { expandPath, shown } from "../place/path.ts";
import type { Pin } from "../place/pin.ts";
import { openTarget } from "../place/resolve.ts";

/** What to list. */
export interface ListOptions {
  /** Entries a page; 0 means 1,000, at most 10,000. */
  readonly pageSize: number;
  /** `nextPage` of the page before; empty for the first. */
  readonly page: string;
  /** Whether names that begin with a dot are listed. */
  readonly includeHidden: boolean;
}

/** One page, sorted by the bytes of the names. */
export interface Page {
  readonly entries: readonly Entry[];
  /** Empty on the last page. */
  readonly nextPage: string;
}

const DOT = 0x2e;

/**
 * One page of a directory. Memory is bounded by the page, not by the directory:
 * of all names only the page's are kept. What comes and goes between two pages
 * is listed or not; what stays is listed exactly once.
 */
export function list(boundary: Boundary, path: string, options: ListOptions): Promise<Page> {
  return attempt("list", path, async () => {
    const asked = expandPath(path, boundary.home);
    const pageSize = Math.min(options.pageSize || DEFAULT_PAGE_ENTRIES, MAX_PAGE_ENTRIES);
    const after = decodeCursor(options.page);
    using target = await openTarget(boundary, asked);
    if (!target.pin.stats.isDirectory()) {
      throw new CmdopError("NotADirectory", `${shown(asked)} is not a directory.`);
    }
    const { names, more } = await smallestNames(target.pin, pageSize, after, options.includeHidden);
    const { entries, cut } = await describeAll(target.pin, names, asked);
    const last = cut ?? (more ? names.at(-1) : undefined);
    return { entries, nextPage: last === undefined ? "" : encodeCursor(last) };
  });
}

/** The first `count` names after `after`, sorted, and whether there are more. */
async function smallestNames(
  directory: Pin,
  count: number,
  after: Buffer | undefined,
  includeHidden: boolean,
): Promise<{ names: Buffer[]; more: boolean }> {
  let kept: Buffer[] = [];
  let more = false;
  const trim = (): void => {
    kept.sort(Buffer.compare);
    more ||= kept.length > count;
    kept = kept.slice(0, count);
  };
  for await (const name of rawNames(directory)) {
    if (!includeHidden && name[0] === DOT) continue;
    if (after !== undefined && Buffer.compare(name, after) <= 0) continue;
    // Sorting only now and then makes each name cheap.
    if (kept.push(name) > 2 * count) trim();
  }
  trim();
  return { names: kept, more };
}

/** Describes names in their order; what has vanished is left out. `cut` is the last name that fitted into a page, where not all did. */
async function describeAll(
  directory: Pin,
  names: readonly Buffer[],
  path: string,
): Promise<{ entries: Entry[]; cut?: Buffer }> {
  const entries: Entry[] = [];
  let bytes = 0;
  let last: Buffer | undefined;
  for (let from = 0; from < names.length; from += DESCRIPTIONS_IN_FLIGHT) {
    const batch = names.slice(from, from + DESCRIPTIONS_IN_FLIGHT);
    const described = await Promise.all(
      batch.map((raw) => describeOne(directory, raw, posix.join(path, pathText(raw)))),
    );
    for (const [index, entry] of described.entries()) {
      if (entry !== undefined) {
        bytes += wireBytes(entry);
        if (bytes > MAX_PAGE_BYTES && last !== undefined) return { entries, cut: last };
        entries.push(entry);
      }
      last = batch[index];
    }
  }
  return { entries };
}

function wireBytes(entry: Entry): number {
  const strings = [entry.name, entry.path, entry.linkTarget ?? ""];
  return strings.reduce((sum, text) => sum + Buffer.byteLength(text), ENTRY_OVERHEAD_BYTES);
}

function encodeCursor(name: Buffer): string {
  return name.toString("base64url");
}

function decodeCursor(page: string): Buffer | undefined {
  if (page === "") return undefined;
  const name = Buffer.from(page, "base64url");
  if (encodeCursor(name) === page) return name;
  throw new CmdopError("InvalidArgument", "The page to go on from is not one that a list has given.", {
    next: "Give back next_page as it came, or leave it empty to begin again.",
  });
}
