import { CmdopError, type FileInfo } from "@cmdop/sdk";
import { z } from "zod";
import { readBytes, readLines } from "../file-window.ts";
import {
  DEFAULT_PAGE_ENTRIES,
  DEFAULT_READ_BYTES,
  MAX_PAGE_ENTRIES,
  MAX_READ_BYTES,
  MAX_WRITE_BYTES,
} from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { timeText } from "../time-text.ts";
import { defineTool, type Tool, type ToolAnswer } from "../tool.ts";

const path = z.string().describe("Absolute, or ~/…");
const source = path;
const destination = z.string().describe("The new path itself, not a directory to put it in");
const overwrite = z.boolean().optional().describe("Replace an existing file");

const entrySchema = z.object({
  path: z.string(),
  type: z.enum(["file", "directory", "symlink", "other"]),
  size: z.int(),
  mtimeMs: z.number(),
  mode: z.string(),
  uid: z.int(),
  gid: z.int(),
  linkTarget: z.string().optional(),
});

/** What a change comes to; files_info has the rest. */
const changedSchema = entrySchema.pick({ path: true, type: true, size: true });

const readOnly = { readOnlyHint: true, openWorldHint: false };
const changes = { readOnlyHint: false, openWorldHint: false };

const list = defineTool({
  name: "files_list",
  title: "files.list",
  description: "List a directory, sorted by name, a page at a time.",
  input: z.strictObject({
    path,
    page: z.string().optional().describe("nextPage of the answer before"),
    page_size: z.int().min(1).max(MAX_PAGE_ENTRIES).optional().describe(`Default ${DEFAULT_PAGE_ENTRIES}`),
    machine: machineArgument,
  }),
  output: z.object({
    entries: z.array(
      z.object({
        name: z.string(),
        type: entrySchema.shape.type,
        size: z.int(),
        mtimeMs: z.number(),
        linkTarget: z.string().optional(),
      }),
    ),
    nextPage: z.string().nullable(),
  }),
  annotations: readOnly,
  handler: async (args, { client }) => {
    const { entries, nextPage } = await pickMachine(client, args.machine).files.list(args.path, {
      pageSize: args.page_size ?? DEFAULT_PAGE_ENTRIES,
      page: args.page,
    });
    const lines = entries.map((entry) => `${kindAndSize(entry)} ${entry.name}${arrow(entry)}`);
    const more = nextPage ? [`[more entries follow: page ${JSON.stringify(nextPage)}]`] : [];
    return {
      text: [lines.join("\n") || "(no entries)", ...more],
      structured: {
        entries: entries.map(({ name, type, size, mtimeMs, linkTarget }) => ({
          name,
          type,
          size,
          mtimeMs,
          linkTarget,
        })),
        nextPage: nextPage || null,
      },
    };
  },
});

const read = defineTool({
  name: "files_read",
  title: "files.read",
  description: `Read a file or a part of it: by bytes (offset, length) or by lines (start_line, line_count). Text comes as utf8, anything else as base64. Returns ${DEFAULT_READ_BYTES / 1024} KiB at once unless length says more; nextOffset is where to go on, null at the end of the file.`,
  input: z.strictObject({
    path,
    offset: z.int().min(0).optional().describe("First byte"),
    length: z.int().min(1).max(MAX_READ_BYTES).optional().describe("Bytes at most"),
    start_line: z.int().min(1).optional().describe("First line, from 1"),
    line_count: z.int().min(1).optional(),
    machine: machineArgument,
  }),
  output: z.object({
    encoding: z.enum(["utf8", "base64"]),
    content: z.string(),
    offset: z.int(),
    bytes: z.int(),
    nextOffset: z.int().nullable(),
  }),
  annotations: readOnly,
  handler: async (args, { client, over }) => {
    const { files } = pickMachine(client, args.machine);
    const at = (offset: number, length: number) => files.read(args.path, { offset, length, signal: over });
    const byLines = args.start_line !== undefined || args.line_count !== undefined;
    if (byLines && (args.offset !== undefined || args.length !== undefined)) {
      throw new CmdopError("InvalidArgument", "files_read takes a range of bytes or of lines, not both.", {
        next: "Leave out offset and length, or start_line and line_count.",
      });
    }
    const window = byLines
      ? await readLines(at, args.path, { startLine: args.start_line ?? 1, lineCount: args.line_count })
      : await readBytes(at, { offset: args.offset ?? 0, length: args.length ?? DEFAULT_READ_BYTES });
    const end = window.offset + window.bytes;
    const notes = [
      ...(window.encoding === "base64" ? ["base64, since the bytes are not UTF-8 text"] : []),
      ...(window.nextOffset === null
        ? []
        : [`bytes ${window.offset} to ${end}; more follows: offset ${window.nextOffset}`]),
    ];
    return {
      text: [window.content || "(empty)", ...(notes.length > 0 ? [`[${notes.join("; ")}]`] : [])],
      structured: { ...window },
    };
  },
});

const write = defineTool({
  name: "files_write",
  title: "files.write",
  description: `Write a whole file (${MAX_WRITE_BYTES / 1024 / 1024} MiB at most), atomically; an existing file is replaced.`,
  input: z.strictObject({
    path,
    content: z.string(),
    encoding: z.enum(["utf8", "base64"]).optional().describe("Of content; default utf8"),
    parents: z.boolean().optional().describe("Make missing directories"),
    machine: machineArgument,
  }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: true, idempotentHint: true },
  handler: async (args, { client, over }) => {
    const content = bytesOf(args.content, args.encoding ?? "utf8");
    const entry = await pickMachine(client, args.machine).files.write(args.path, content, {
      parents: args.parents,
      signal: over,
    });
    return changed(`wrote ${content.length} bytes to ${entry.path}`, entry);
  },
});

const remove = defineTool({
  name: "files_delete",
  title: "files.delete",
  description: "Delete a file, a link itself, or a directory.",
  input: z.strictObject({
    path,
    recursive: z.boolean().optional().describe("Needed for a directory that is not empty"),
    machine: machineArgument,
  }),
  output: z.object({ deleted: z.string() }),
  annotations: { ...changes, destructiveHint: true, idempotentHint: true },
  handler: async (args, { client }) => {
    await pickMachine(client, args.machine).files.delete(args.path, {
      recursive: args.recursive ?? false,
    });
    return { text: [`deleted ${args.path}`], structured: { deleted: args.path } };
  },
});

const copy = defineTool({
  name: "files_copy",
  title: "files.copy",
  description: "Copy a file or directory on the machine.",
  input: z.strictObject({
    source,
    destination,
    recursive: z.boolean().optional().describe("Needed for a directory"),
    overwrite,
    machine: machineArgument,
  }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: true, idempotentHint: false },
  handler: async (args, { client }) => {
    const entry = await pickMachine(client, args.machine).files.copy(args.source, args.destination, {
      recursive: args.recursive ?? false,
      overwrite: args.overwrite ?? false,
    });
    return changed(`copied ${args.source} to ${entry.path}`, entry);
  },
});

const move = defineTool({
  name: "files_move",
  title: "files.move",
  description: "Move or rename a file or directory on the machine.",
  input: z.strictObject({ source, destination, overwrite, machine: machineArgument }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: true, idempotentHint: false },
  handler: async (args, { client }) => {
    const entry = await pickMachine(client, args.machine).files.move(args.source, args.destination, {
      overwrite: args.overwrite ?? false,
    });
    return changed(`moved ${args.source} to ${entry.path}`, entry);
  },
});

const mkdir = defineTool({
  name: "files_mkdir",
  title: "files.mkdir",
  description: "Make a directory.",
  input: z.strictObject({
    path,
    parents: z.boolean().optional().describe("Make missing parents; accept one that exists"),
    machine: machineArgument,
  }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: false, idempotentHint: true },
  handler: async (args, { client }) => {
    const entry = await pickMachine(client, args.machine).files.mkdir(args.path, {
      parents: args.parents,
    });
    return changed(`made ${entry.path}`, entry);
  },
});

const info = defineTool({
  name: "files_info",
  title: "files.info",
  description: "Describe a file, directory or link (a link itself, not what it points at).",
  input: z.strictObject({ path, machine: machineArgument }),
  output: entrySchema,
  annotations: readOnly,
  handler: async (args, { client }) => {
    const entry = await pickMachine(client, args.machine).files.info(args.path);
    const { name: _, mode, ...rest } = entry;
    const facts = [
      kindAndSize(entry),
      `mode ${octal(mode)}`,
      `owner ${entry.uid}:${entry.gid}`,
      `changed ${timeText(entry.mtimeMs)}`,
    ];
    return {
      text: [`${entry.path}${arrow(entry)}: ${facts.join(", ")}`],
      structured: { ...rest, mode: octal(mode) },
    };
  },
});

export const FILE_TOOLS: readonly Tool[] = [list, read, write, remove, copy, move, mkdir, info];

function changed(text: string, { path, type, size }: FileInfo): ToolAnswer<z.output<typeof changedSchema>> {
  return { text: [text], structured: { path, type, size } };
}

function bytesOf(content: string, encoding: "utf8" | "base64"): Buffer {
  if (encoding === "base64" && !z.base64().safeParse(content).success) {
    throw new CmdopError("InvalidArgument", "content is not base64 (the standard alphabet, with padding).", {
      next: "Send plain text with encoding utf8, or correct the base64.",
    });
  }
  const bytes = Buffer.from(content, encoding);
  if (bytes.length <= MAX_WRITE_BYTES) return bytes;
  throw new CmdopError(
    "MessageTooLarge",
    `content has ${bytes.length} bytes; files_write takes ${MAX_WRITE_BYTES} at most.`,
    { next: "Write it in parts with a command (cat part >> file), or use the SDK's files.upload." },
  );
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function kindAndSize(entry: FileInfo): string {
  return entry.type === "file" ? `file ${entry.size} bytes` : entry.type;
}

function arrow(entry: FileInfo): string {
  return entry.linkTarget === undefined ? "" : ` -> ${entry.linkTarget}`;
}
