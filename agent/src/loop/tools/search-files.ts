import { asData, type FileEntry, Files, type FilesMatch, type FilesSkipped, printable } from "@cmdop/proto";
import { z } from "zod";
import { LOOP_LIMITS } from "../limits.ts";
import { Ends } from "./data.ts";
import { type FileToolOptions, filePath, fileTypeName } from "./files.ts";
import type { ToolSpec } from "./tools.ts";

const globs = z.array(z.string());

const input = z.object({
  path: filePath.describe("The directory to search, with all that lies in it, or one file."),
  content: z
    .string()
    .optional()
    .describe("A JavaScript regular expression for lines. Without it, names are what is looked for."),
  names: globs.optional().describe("Globs of names: only what one of them matches."),
  exclude: globs.optional().describe("Globs of what is left out, directories with all that lies in them."),
  ignoreCase: z.boolean().optional().describe("Of content."),
  contextLines: z.int().min(0).max(LOOP_LIMITS.maxSearchContextLines).optional().describe("0 unless given."),
  hidden: z.boolean().optional().describe("Look at names that begin with a dot, too."),
});

export const SEARCH_METHOD = "/cmdop.v1.Files/Search";

/**
 * Makes the tool that searches names and lines. The number of results is bounded, and the answer lists the
 * files that were skipped.
 */
export function searchFilesTool(options: FileToolOptions): ToolSpec<z.infer<typeof input>> {
  const { caller, gate, files } = options;
  return {
    name: "search_files",
    touches: "reads",
    description: "Searches files of this machine: names by globs, lines by a regular expression, or both.",
    input,
    run: async ({ path, content, names = [], exclude = [], ignoreCase, contextLines = 0, hidden }, use) => {
      const wanted = {
        names,
        exclude,
        includeHidden: hidden ?? false,
        maxDepth: 0,
        ...(content === undefined ? {} : { content }),
        flags: ignoreCase ? "i" : "",
        contextLines,
        maxResults: LOOP_LIMITS.maxSearchResults,
        maxFileBytes: 0n,
      };
      const call = { caller, path: SEARCH_METHOD, type: Files.method.search.input, use };
      return gate({ ...call, request: { path, ...wanted } }, async (admitted) => {
        const found = new Ends();
        let end = "";
        const answers = files(admitted).search({ path, ...wanted }, { signal: use.signal });
        for await (const { entries, matches, skipped, summary } of answers) {
          const lines = [...entries.map(entryLine), ...matches.map(matchLines), ...skipped.map(skippedLine)];
          for (const line of lines) found.add(`${line}\n`);
          if (summary !== undefined) end = summaryOf(summary);
        }
        const text = String(found).trimEnd();
        return { ok: true, text: text === "" ? end : `${end}\n${asData(text)}` };
      });
    },
  };
}

function entryLine({ type, size, path }: FileEntry): string {
  return `${fileTypeName(type)} ${size} ${printable(JSON.stringify(path))}`;
}

function skippedLine({ message }: FilesSkipped): string {
  return `[passed over: ${printable(message)}]`;
}

function matchLines({ path, line, text, before, after }: FilesMatch): string {
  const number = Number(line);
  const first = number - before.length;
  const name = printable(JSON.stringify(path));
  return [
    ...before.map((shown, index) => `${name}-${first + index}- ${shown}`),
    `${name}:${number}: ${text}`,
    ...after.map((shown, index) => `${name}-${number + 1 + index}- ${shown}`),
  ].join("\n");
}

function summaryOf({ results, limited }: { readonly results: bigint; readonly limited: boolean }): string {
  if (limited) return `the first ${results} results; there may be more: search for something narrower`;
  return results === 0n ? "nothing was found" : `${results} ${results === 1n ? "result" : "results"}`;
}
