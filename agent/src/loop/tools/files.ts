import { asData, type FileEntry, Files, FileType, OpenedText, printable, textNotes } from "@cmdop/proto";
import { z } from "zod";
import type { FileCalls } from "../../files-process/file-calls.ts";
import type { Caller } from "../../policy/caller.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { ToolGate } from "./tool-gate.ts";
import type { ToolSpec } from "./tools.ts";

/** Names of file types for models; all others are "other". */
const TYPE_NAMES: Readonly<Partial<Record<FileType, string>>> = {
  [FileType.FILE]: "file",
  [FileType.DIRECTORY]: "directory",
  [FileType.SYMLINK]: "symlink",
};

/** The argument for a file's path. */
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

/** Returns the name of a file type for models. */
export function fileTypeName(type: FileType): string {
  return TYPE_NAMES[type] ?? "other";
}

/** Returns a note on an unusual way of writing; empty if the file was written as usual. */
export function howWritten(entry: FileEntry | undefined): string {
  return entry?.written === undefined ? "" : ` (${entry.written.message})`;
}

/** The dependencies of the file tools. */
export interface FileToolOptions {
  readonly caller: Caller;
  readonly gate: ToolGate;
  /** Returns the file operations that a caller may use. */
  readonly files: (caller: Caller) => FileCalls;
}

export const READ_METHOD = "/cmdop.v1.Files/Read";
export const WRITE_METHOD = "/cmdop.v1.Files/Write";
export const LIST_METHOD = "/cmdop.v1.Files/List";

/** Makes the tool that reads text, a piece of bounded size at a time. */
export function readFileTool(options: FileToolOptions): ToolSpec<z.infer<typeof readInput>> {
  const { caller, gate, files } = options;
  return {
    name: "read_file",
    touches: "reads",
    description: "Reads a text file of this machine.",
    input: readInput,
    run: async ({ path, offset = 0 }, use) => {
      let size = 0n;
      const readAt = async (from: number, length: number): Promise<Uint8Array> => {
        const request = { path, offset: BigInt(from), length: BigInt(length) };
        const call = { caller, path: READ_METHOD, type: Files.method.read.input, use };
        const answer = await gate({ ...call, request }, (admitted) =>
          files(admitted).read(request, { signal: use.signal }),
        );
        size = answer.size;
        return answer.content;
      };
      const opened = await OpenedText.open(readAt);
      const window = await opened.window(offset, LOOP_LIMITS.maxToolCharacters);
      const text = opened.text(window);
      if (text === undefined) {
        const { detected } = opened;
        const type = detected.kind === "binary" && detected.type !== undefined ? `: ${detected.type}` : "";
        return { ok: false, text: `${path} is not text (binary${type}): it has ${size} bytes.` };
      }
      const notes = textNotes(text, text.encoding, (stray) => `byte ${window.offset + stray.offset}`);
      if (window.nextOffset !== null)
        notes.push(`${size} bytes in all; go on with offset ${window.nextOffset}`);
      return { ok: true, text: [asData(text.text), ...notes].join("\n") };
    },
  };
}

/** Makes the tool that replaces a whole file, atomically. */
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

/** Makes the tool that lists a directory, a page of bounded size at a time. */
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
