import { asData, type FileEntry, Files, FileType, printable } from "@cmdop/proto";
import { z } from "zod";
import type { FileCalls } from "../../files-process/file-calls.ts";
import type { Caller } from "../../policy/caller.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { ToolGate } from "./tool-gate.ts";
import type { ToolSpec } from "./tools.ts";

/** What kinds of things are called; everything else is "other". */
const TYPE_NAMES: Readonly<Partial<Record<FileType, string>>> = {
  [FileType.FILE]: "file",
  [FileType.DIRECTORY]: "directory",
  [FileType.SYMLINK]: "symlink",
};

/** Bytes that are looked at for whether a file is text. */
const PROBE_BYTES = 1_024;

/** Where a file is, as models name it. */
export const filePath = z.string().min(1).describe("Absolute, or beginning with ~/.");

const readInput = z.object({
  path: filePath,
  offset: z.int().min(0).optional().describe("The first byte; 0 unless given."),
});
const writeInput = z.object({ path: filePath, content: z.string().describe("The whole new content.") });
const listInput = z.object({
  path: filePath,
  page: z.string().optional().describe("Where to go on: what the page before named."),
});

/** A kind of thing, as models read it. */
export function fileTypeName(type: FileType): string {
  return TYPE_NAMES[type] ?? "other";
}

/** How a file was written, where that was not as usual. */
export function howWritten(entry: FileEntry | undefined): string {
  return entry?.written === undefined ? "" : ` (${entry.written.message})`;
}

/** What the tools work with. */
export interface FileToolOptions {
  readonly caller: Caller;
  readonly gate: ToolGate;
  /** The files that a caller may touch. */
  readonly files: (caller: Caller) => FileCalls;
}

export const READ_METHOD = "/cmdop.v1.Files/Read";
export const WRITE_METHOD = "/cmdop.v1.Files/Write";
export const LIST_METHOD = "/cmdop.v1.Files/List";

/** Reads text, a piece of bounded size at a time. */
export function readFileTool(options: FileToolOptions): ToolSpec<z.infer<typeof readInput>> {
  const { caller, gate, files } = options;
  return {
    name: "read_file",
    touches: "reads",
    description: "Reads a text file of this machine.",
    input: readInput,
    run: async ({ path, offset = 0 }, use) => {
      const range = { offset: BigInt(offset), length: BigInt(LOOP_LIMITS.maxToolCharacters) };
      const call = { caller, path: READ_METHOD, type: Files.method.read.input, use };
      const { content, size } = await gate({ ...call, request: { path, ...range } }, (admitted) =>
        files(admitted).read({ path, ...range }, { signal: use.signal }),
      );
      if (content.subarray(0, PROBE_BYTES).includes(0)) {
        return { ok: false, text: `${path} is no text: it has ${size} bytes, a NUL among the first.` };
      }
      const next = offset + content.length;
      const rest = size > BigInt(next) ? `\n${size} bytes in all; go on with offset ${next}` : "";
      const text = new TextDecoder().decode(content);
      return { ok: true, text: `${asData(text)}${rest}` };
    },
  };
}

/** Replaces a whole file, atomically. */
export function writeFileTool(options: FileToolOptions): ToolSpec<z.infer<typeof writeInput>> {
  const { caller, gate, files } = options;
  return {
    name: "write_file",
    touches: "writes",
    description:
      "Writes a text file of this machine: makes it (and missing directories), or replaces all of it.",
    input: writeInput,
    run: async ({ path, content: text }, use) => {
      const content = Buffer.from(text);
      const call = { caller, path: WRITE_METHOD, type: Files.method.write.input, use };
      const request = { path, content, parents: true };
      const { entry } = await gate({ ...call, request }, (admitted) =>
        files(admitted).write(request, { signal: use.signal }),
      );
      return { ok: true, text: `wrote ${content.length} bytes to ${path}${howWritten(entry)}` };
    },
  };
}

/** Lists a directory, a page of bounded size at a time. */
export function listFilesTool(options: FileToolOptions): ToolSpec<z.infer<typeof listInput>> {
  const { caller, gate, files } = options;
  return {
    name: "list_files",
    touches: "reads",
    description: "Lists a directory of this machine, hidden files too.",
    input: listInput,
    run: async ({ path, page = "" }, use) => {
      const wanted = { pageSize: LOOP_LIMITS.maxListedEntries, page, includeHidden: true };
      const call = { caller, path: LIST_METHOD, type: Files.method.list.input, use };
      const { entries, nextPage } = await gate({ ...call, request: { path, ...wanted } }, (admitted) =>
        files(admitted).list({ path, ...wanted }, { signal: use.signal }),
      );
      const lines = entries.map(({ type, size, mtimeMs, name }) =>
        [fileTypeName(type), size, new Date(mtimeMs).toISOString(), printable(name)].join(" "),
      );
      const more = nextPage === "" ? "" : `\nthere are more: page ${nextPage}`;
      return { ok: true, text: `${asData(lines.join("\n") || "(empty)")}${more}` };
    },
  };
}
