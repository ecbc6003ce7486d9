import { CmdopError, type Files, type FilesMatch, type ServiceClient } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { fileInfo, skippedPath } from "./file-info.ts";
import { methodOf } from "./method-of.ts";
import type { FileInfo, SearchEvent, SearchMatch, SearchOptions, WalkOptions } from "./types.ts";

/** The machine that is searched. */
interface Machine {
  readonly files: ServiceClient<typeof Files>;
  readonly caller: MachineCaller;
}

/** Implements `Files.walk`. */
export async function* walkTree(
  { files, caller }: Machine,
  path: string,
  options: WalkOptions,
): AsyncGenerator<FileInfo> {
  const request = { path, ...tree(options) };
  const call = await caller.options(methodOf("Walk"), options);
  for await (const { entries } of files.walk(request, call)) yield* entries.map(fileInfo);
}

/** Implements `Files.search`. */
export async function* searchTree(
  { files, caller }: Machine,
  path: string,
  options: SearchOptions,
): AsyncGenerator<SearchEvent> {
  const { contextLines = 0, maxResults = 0, maxFileBytes = 0 } = options;
  for (const [name, value] of Object.entries({ contextLines, maxResults, maxFileBytes })) whole(name, value);
  const limits = { contextLines, maxResults, maxFileBytes: BigInt(maxFileBytes) };
  const request = { path, ...tree(options), ...pattern(options), ...limits };
  const call = await caller.options(methodOf("Search"), options);
  for await (const { entries, matches, skipped, summary } of files.search(request, call)) {
    for (const entry of entries) yield { type: "file", file: fileInfo(entry) };
    for (const match of matches) yield { type: "match", ...searchMatch(match) };
    for (const each of skipped) yield { type: "skipped", ...skippedPath(each) };
    if (summary === undefined) continue;
    const { files: searched, results, limited } = summary;
    yield { type: "ended", files: Number(searched), results: Number(results), limited };
  }
}

function tree({ depth = 0, name = [], exclude = [], hidden = true }: WalkOptions) {
  const list = (globs: string | readonly string[]) => (typeof globs === "string" ? [globs] : [...globs]);
  return {
    maxDepth: whole("depth", depth),
    names: list(name),
    exclude: list(exclude),
    includeHidden: hidden,
  };
}

function pattern({ content, ignoreCase = false }: SearchOptions): { content?: string; flags?: string } {
  if (content === undefined) return {};
  const source =
    typeof content === "string" ? content.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&") : content.source;
  // Each line is matched on its own, so the flags g, y, d and m have no meaning.
  const own = typeof content === "string" ? "" : content.flags.replaceAll(/[gydm]/g, "");
  return { content: source, flags: ignoreCase && !own.includes("i") ? `${own}i` : own };
}

function searchMatch({
  path,
  line,
  column,
  length,
  text,
  textStart,
  before,
  after,
}: FilesMatch): SearchMatch {
  return { path, line: Number(line), column, length, text, textStart, before, after };
}

function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new CmdopError("InvalidArgument", `${name} must be a whole number, not ${value}.`);
}
