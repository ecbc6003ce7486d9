import { errnoOf } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { Shares } from "../../shares/shares.ts";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import type { Entry, Skipped } from "../place/entry.ts";
import { fileError, stopIfCanceled } from "../place/errors.ts";
import {
  DEFAULT_SEARCH_RESULTS,
  DEFAULT_SEARCHED_FILE_BYTES,
  MAX_CONTEXT_LINES,
  MAX_SEARCH_RESULTS,
  MAX_SEARCHES_AT_ONCE,
} from "../place/limits.ts";
import { expandPath } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openTarget } from "../place/resolve.ts";
import { visit, type Walk, type WalkOptions, walkOf } from "../tree/walk.ts";
import { contentMatches, type FileSearch } from "./file-search.ts";
import type { LineMatch } from "./line-matcher.ts";
import { Matcher } from "./matcher.ts";

/** What to look for. */
export interface SearchOptions extends WalkOptions {
  /** A regular expression for lines; without one, names are what is looked for. */
  readonly content?: string | undefined;
  /** Of the expression: i, s, u. */
  readonly flags: string;
  /** Lines shown around a match. */
  readonly contextLines: number;
  /** Matching lines, or entries; 0 means 1,000. */
  readonly maxResults: number;
  /** Larger files are passed over; 0 means 64 MiB. */
  readonly maxFileBytes: bigint;
}

/** What a search comes to, in this order a file; `ended` is the last. */
export type SearchEvent =
  | { readonly kind: "entry"; readonly entry: Entry }
  | { readonly kind: "match"; readonly path: string; readonly match: LineMatch }
  | { readonly kind: "skipped"; readonly skipped: Skipped }
  | { readonly kind: "ended"; readonly files: bigint; readonly results: bigint; readonly limited: boolean };

/** Those that nobody reads hold their places too. */
const searches = new Shares({
  capacity: MAX_SEARCHES_AT_ONCE,
  what: "searches",
  next: "Try again when one of them is over; read those that are begun to their ends, or leave them.",
});

/**
 * Searches a directory's tree, or one file. Nothing is silently passed over: a
 * directory that can't be read, a binary or oversized file is told of. Devices,
 * FIFOs and links are not looked into.
 */
export async function* search(
  boundary: Boundary,
  path: string,
  options: SearchOptions,
  signal: AbortSignal,
): AsyncGenerator<SearchEvent> {
  try {
    const asked = expandPath(path, boundary.home);
    using _ = searches.take(boundary.key ?? "");
    await using stack = new AsyncDisposableStack();
    const walk = walkOf(boundary, "search", options, signal);
    const files = await searchOf(options, walk, stack);
    const target = stack.use(await openTarget(boundary, asked));
    const most = Math.min(options.maxResults || DEFAULT_SEARCH_RESULTS, MAX_SEARCH_RESULTS);
    let results = 0;
    for await (const event of found(walk, target.pin, asked, files)) {
      if (event.kind !== "skipped" && results === most) {
        yield { kind: "ended", files: files?.searched ?? 0n, results: BigInt(results), limited: true };
        return;
      }
      if (event.kind !== "skipped") results += 1;
      yield event;
    }
    yield { kind: "ended", files: files?.searched ?? 0n, results: BigInt(results), limited: false };
  } catch (thrown) {
    throw fileError(thrown, "search", path);
  }
}

/** How contents are searched, where they are. */
async function searchOf(
  { content, flags, contextLines, maxFileBytes, names }: SearchOptions,
  { signal }: Walk,
  stack: AsyncDisposableStack,
): Promise<FileSearch | undefined> {
  if (contextLines > MAX_CONTEXT_LINES) {
    throw new CmdopError(
      "InvalidArgument",
      `${contextLines} lines of context; ${MAX_CONTEXT_LINES} is the limit.`,
    );
  }
  if (content === undefined) {
    if (names.length > 0) return undefined;
    throw new CmdopError("InvalidArgument", "Neither a name nor a content to search for is given.", {
      next: "Give globs for names, a regular expression for the content, or both.",
    });
  }
  const matcher = stack.use(await Matcher.start({ source: content, flags, contextLines }, signal));
  return { matcher, maxBytes: maxFileBytes || DEFAULT_SEARCHED_FILE_BYTES, searched: 0n };
}

type Finding = Exclude<SearchEvent, { kind: "ended" }>;

async function* found(
  walk: Walk,
  start: Pin,
  path: string,
  files: FileSearch | undefined,
): AsyncGenerator<Finding> {
  if (files !== undefined && !start.stats.isDirectory()) return yield* contentMatches(files, start, path);
  for await (const { entry, directory, raw } of visit(walk, start, path)) {
    if (entry.unread !== undefined) yield { kind: "skipped", skipped: entry.unread };
    if (files === undefined) {
      if (entry.unread === undefined) yield { kind: "entry", entry };
    } else if (entry.type === "file") yield* searchFile(walk, files, childOf(directory, raw), entry.path);
  }
}

/** One file of a tree: what goes wrong with it is told, and the search goes on. */
async function* searchFile(
  { boundary, signal }: Walk,
  files: FileSearch,
  at: string | Buffer,
  path: string,
): AsyncGenerator<Finding> {
  try {
    using pin = await boundary.pinning.pin(at);
    if (!pin.stats.isFile()) return;
    await refuseOwn(boundary, pin, path, "read");
    yield* contentMatches(files, pin, path);
  } catch (thrown) {
    stopIfCanceled(signal, "search", path);
    if (errnoOf(thrown) === "ENOENT") return;
    const error = fileError(thrown, "read", path);
    // A pattern that can't be matched is no matter of this file.
    if (error.code === "LimitExceeded") throw error;
    yield { kind: "skipped", skipped: { path, reason: "unreadable", message: error.message } };
  }
}
