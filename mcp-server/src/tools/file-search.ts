import { asData, printable } from "@cmdop/proto";
import type { SearchMatch, SkippedPath } from "@cmdop/sdk";
import { z } from "zod";
import { type Gathered, gather } from "../gather.ts";
import {
  DEFAULT_SEARCH_RESULTS,
  MAX_CONTEXT_LINES,
  MAX_PASSED_OVER,
  MAX_SEARCH_CHARS,
  MAX_SEARCH_LINE_CHARS,
  MAX_SEARCH_RESULTS,
} from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { OwnError } from "../own-error.ts";
import { defineTool } from "../tool.ts";
import { entrySchema, kindAndSize, path, readOnly, tree } from "./file-schemas.ts";

const foundSchema = z.object({
  path: z.string(),
  type: entrySchema.shape.type.optional(),
  size: z.int().optional(),
  matches: z
    .array(
      z.object({
        line: z.int(),
        text: z.string(),
        before: z.array(z.string()).optional(),
        after: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});
type Found = z.output<typeof foundSchema>;
type Line = NonNullable<Found["matches"]>[number];

export const search = defineTool({
  name: "files_search",
  title: "files.search",
  description:
    "Search a tree or one file: lines by content, files by name, or both. Says what was cut or passed over.",
  input: z.strictObject({
    path,
    content: z.string().optional().describe("JavaScript regex, per line"),
    ignore_case: z.boolean().optional(),
    ...tree,
    hidden: z.boolean().optional().describe("Dot names too"),
    context_lines: z.int().min(0).max(MAX_CONTEXT_LINES).optional(),
    limit: z.int().min(1).max(MAX_SEARCH_RESULTS).optional().describe(`Default ${DEFAULT_SEARCH_RESULTS}`),
    machine: machineArgument,
  }),
  output: z.object({
    files: z.array(foundSchema),
    results: z.int(),
    cut: z.string().nullable(),
    binaryFiles: z.int(),
    passedOver: z.array(z.object({ path: z.string(), why: z.string() })),
    morePassedOver: z.int(),
  }),
  annotations: readOnly,
  handler: async (args, context) => {
    const { files } = pickMachine(context.client, args.machine);
    const { name, exclude, hidden = false, limit = DEFAULT_SEARCH_RESULTS } = args;
    const content = args.content ? expression(args.content) : undefined;
    const found = new Findings();
    let isLimited = false;
    const end = await gather(
      (signal) =>
        files.search(args.path, {
          content,
          ignoreCase: args.ignore_case,
          name,
          exclude,
          hidden,
          contextLines: args.context_lines,
          maxResults: limit,
          signal,
        }),
      (event) => {
        if (event.type === "skipped") return found.passOver(event);
        if (event.type === "match") return found.addLine(event.path, lineOf(event));
        if (event.type === "file") return found.addFile(event.file);
        isLimited = event.limited;
        return true;
      },
      context,
    );
    return found.answer(cutOf(end, isLimited, found.results));
  },
});

/** What was found, up to what a model can take. */
class Findings {
  readonly #files = new Map<string, Found>();
  readonly #passedOver: { path: string; why: string }[] = [];
  #results = 0;
  #chars = 0;
  #binaryFiles = 0;
  #morePassedOver = 0;

  get results(): number {
    return this.#results;
  }

  addLine(path: string, line: Line): boolean {
    const file = this.#files.get(path);
    const lines = [line.text, ...(line.before ?? []), ...(line.after ?? [])];
    const pathChars = file === undefined ? path.length : 0;
    if (!this.#fits(lines.reduce((sum, { length }) => sum + length, pathChars))) return false;
    if (file?.matches === undefined) this.#files.set(path, { path, matches: [line] });
    else file.matches.push(line);
    return true;
  }

  addFile({ path, type, size }: Required<Pick<Found, "path" | "type" | "size">>): boolean {
    if (!this.#fits(path.length)) return false;
    this.#files.set(path, { path, type, size });
    return true;
  }

  passOver({ path, reason, message }: SkippedPath): boolean {
    if (reason === "binary") this.#binaryFiles += 1;
    else if (this.#passedOver.length === MAX_PASSED_OVER) this.#morePassedOver += 1;
    else this.#passedOver.push({ path, why: reason === "unreadable" ? message : reason });
    return true;
  }

  answer(cut: string | null) {
    const structured = {
      files: [...this.#files.values()],
      results: this.#results,
      cut,
      binaryFiles: this.#binaryFiles,
      passedOver: this.#passedOver,
      morePassedOver: this.#morePassedOver,
    };
    return {
      text: [...this.#found(), ...this.#notes(cut)],
      structured,
    };
  }

  #fits(chars: number): boolean {
    // One result alone may be larger: an answer without any would help nobody.
    if (this.#results > 0 && this.#chars + chars > MAX_SEARCH_CHARS) return false;
    this.#chars += chars;
    this.#results += 1;
    return true;
  }

  /** All that is in the machine's words. */
  #found(): string[] {
    const passedOver = this.#passedOver.map(
      ({ path, why }) => `passed over ${printable(path)}: ${printable(why)}`,
    );
    const lines = [...[...this.#files.values()].map(fileText), ...passedOver];
    return [
      ...(this.#files.size === 0 ? ["(nothing found)"] : []),
      ...(lines.length === 0 ? [] : [asData(lines.join("\n"))]),
    ];
  }

  #notes(cut: string | null): string[] {
    const notes = [
      ...(cut === null ? [] : [cut]),
      ...(this.#binaryFiles === 0 ? [] : [`binary files passed over: ${this.#binaryFiles}`]),
      ...(this.#morePassedOver === 0 ? [] : [`passed over ${this.#morePassedOver} more`]),
    ];
    return notes.length === 0 ? [] : [`[${notes.join("\n")}]`];
  }
}

/** The model's expression. It is only compiled here; the machine matches it, in a thread that it can end. */
function expression(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new OwnError("InvalidArgument", `content is no regular expression: ${thrown.message}`, {
      next: "Put a backslash before what is meant literally, as in \\\\( or \\\\[.",
    });
  }
}

function lineOf({ line, text, column, textStart, before, after }: SearchMatch): Line {
  const short = (each: string): string => excerpt(each, 0, false);
  return {
    line,
    text: excerpt(text, column - textStart, textStart > 0),
    ...(before.length === 0 ? {} : { before: before.map(short) }),
    ...(after.length === 0 ? {} : { after: after.map(short) }),
  };
}

/** A line, or of a long one the part from a little before a place on. */
function excerpt(text: string, at: number, isCutBefore: boolean): string {
  const from = text.length <= MAX_SEARCH_LINE_CHARS ? 0 : Math.max(0, at - MAX_SEARCH_LINE_CHARS / 4);
  const part = text.slice(from, from + MAX_SEARCH_LINE_CHARS).toWellFormed();
  const isCutBehind = from + MAX_SEARCH_LINE_CHARS < text.length;
  return `${isCutBefore || from > 0 ? "…" : ""}${part}${isCutBehind ? "…" : ""}`;
}

function fileText({ path, type, size, matches }: Found): string {
  if (matches === undefined)
    return `${kindAndSize({ type: type ?? "other", size: size ?? 0 })} ${printable(path)}`;
  // Lines around matches that lie close together are shown once, and a match as one.
  const lines = new Map<number, string>();
  for (const { line, before = [], after = [] } of matches) {
    for (const [index, each] of before.entries())
      lines.set(line - before.length + index, `- ${lineText(each)}`);
    for (const [index, each] of after.entries()) lines.set(line + 1 + index, `- ${lineText(each)}`);
  }
  for (const { line, text } of matches) lines.set(line, `: ${lineText(text)}`);
  const sorted = [...lines].sort(([a], [b]) => a - b);
  return [printable(path), ...sorted.map(([line, text]) => `${line}${text}`)].join("\n");
}

/** A line of a file: on one line, with its tabs. */
function lineText(line: string): string {
  return line.split("\t").map(printable).join("\t");
}

function cutOf(end: Gathered, isLimited: boolean, results: number): string | null {
  const narrow = "search a smaller part, or for something narrower";
  if (end === "late") return `time was up before all was searched; ${narrow}`;
  if (end === "full") return `only the first ${results} results fit; ${narrow}`;
  return isLimited ? `only the first ${results} results; there are more: raise limit, or ${narrow}` : null;
}
