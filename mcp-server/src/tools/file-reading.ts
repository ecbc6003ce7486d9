import { createHash } from "node:crypto";
import { asData, printable } from "@cmdop/proto";
import type { FileInfo } from "@cmdop/sdk";
import { z } from "zod";
import { asBase64, asBinary, asText } from "../file-answer.ts";
import { type FileWindow, readBytes, readLines } from "../file-window.ts";
import { gather } from "../gather.ts";
import {
  DEFAULT_PAGE_ENTRIES,
  DEFAULT_READ_BYTES,
  MAX_PAGE_ENTRIES,
  MAX_READ_BYTES,
  MAX_TREE_DEPTH,
} from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { OwnError } from "../own-error.ts";
import { timeText } from "../time-text.ts";
import { defineTool, type ToolContext } from "../tool.ts";
import { arrow, entrySchema, kindAndSize, path, readOnly, tree } from "./file-schemas.ts";

const listInput = z.strictObject({
  path,
  page: z.string().optional().describe("nextPage of the answer before"),
  page_size: z.int().min(1).max(MAX_PAGE_ENTRIES).optional().describe(`Default ${DEFAULT_PAGE_ENTRIES}`),
  depth: z.int().min(1).max(MAX_TREE_DEPTH).optional().describe("Levels; default 1, or all"),
  ...tree,
  machine: machineArgument,
});

const listedSchema = z.object({
  name: z.string(),
  type: entrySchema.shape.type,
  size: z.int(),
  mtimeMs: z.number(),
  linkTarget: z.string().optional(),
  unread: z.string().optional(),
});

export const list = defineTool({
  name: "files_list",
  title: "files.list",
  description:
    "List a directory, a page at a time; with depth, name or exclude the tree below it, without pages.",
  input: listInput,
  output: z.object({
    entries: z.array(listedSchema),
    nextPage: z.string().nullable(),
    cut: z.string().optional(),
  }),
  annotations: readOnly,
  handler: async (args, context) => {
    const { entries, nextPage, cut } = await listed(args, context);
    const lines = entries.map((entry) => {
      const unread = entry.unread === undefined ? "" : ` [not read: ${printable(entry.unread)}]`;
      return `${kindAndSize(entry)} ${printable(entry.name)}${arrow(entry)}${unread}`;
    });
    const more = nextPage === undefined ? [] : [`[more entries follow: page ${pageText(nextPage)}]`];
    const whole = lines.length === 0 ? "(no entries)" : asData(lines.join("\n"));
    return {
      text: [whole, ...more, ...(cut === undefined ? [] : [`[${cut}]`])],
      structured: { entries, nextPage: nextPage ?? null, ...(cut === undefined ? {} : { cut }) },
    };
  },
});

/** What names the next page, in the machine's words. */
function pageText(page: string): string {
  return /^[\w.+/=-]*$/.test(page) ? JSON.stringify(page) : `\n${asData(printable(page))}\n`;
}

type Listed = z.output<typeof listedSchema>;

interface Listing {
  readonly entries: Listed[];
  readonly nextPage?: string | undefined;
  readonly cut?: string;
}

async function listed(args: z.output<typeof listInput>, context: ToolContext): Promise<Listing> {
  const { files } = pickMachine(context.client, args.machine);
  const most = args.page_size ?? DEFAULT_PAGE_ENTRIES;
  const { depth = args.name || args.exclude ? MAX_TREE_DEPTH : 1, name, exclude } = args;
  if (depth === 1 && name === undefined && exclude === undefined) {
    const options = { pageSize: most, page: args.page, signal: context.over };
    const { entries, nextPage } = await files.list(args.path, options);
    return { entries: entries.map((entry) => listedEntry(entry, entry.name)), nextPage };
  }
  if (args.page) {
    throw new OwnError("InvalidArgument", "A tree has no pages.", {
      next: "Leave page out; list the directories in the tree one by one, or narrow it down by name.",
    });
  }
  // The machine alone knows what ~ stands for.
  const { path: root } = await files.info(args.path, { signal: context.over });
  const prefix = root === "/" ? root : `${root}/`;
  const entries: Listed[] = [];
  const end = await gather(
    (signal) => files.walk(args.path, { depth, name, exclude, signal }),
    (entry) => {
      if (entries.length === most) return false;
      const isBelow = entry.path.startsWith(prefix);
      entries.push(listedEntry(entry, isBelow ? entry.path.slice(prefix.length) : entry.path));
      return true;
    },
    context,
  );
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (end === "whole") return { entries };
  const why =
    end === "full" ? `the first ${most} entries that were found` : "what was found before time was up";
  return {
    entries,
    cut: `not all: ${why}; narrow it down by name, exclude or depth, or list directories below`,
  };
}

function listedEntry({ type, size, mtimeMs, linkTarget, unread }: FileInfo, name: string): Listed {
  return {
    name,
    type,
    size,
    mtimeMs,
    ...(linkTarget === undefined ? {} : { linkTarget }),
    ...(unread === undefined ? {} : { unread: unread.message }),
  };
}

export const read = defineTool({
  name: "files_read",
  title: "files.read",
  description: `Read a file or a part of it: by bytes (offset, length) or by lines (start_line, line_count). Text of other encodings is decoded, and bytes that are no text are shown as \\xE9; what is binary is only named, encoding base64 gives its bytes. Returns ${DEFAULT_READ_BYTES / 1024} KiB at once unless length says more; nextOffset is where to go on, null at the end. A file read whole comes with its sha256.`,
  input: z.strictObject({
    path,
    offset: z.int().min(0).optional().describe("First byte"),
    length: z.int().min(1).max(MAX_READ_BYTES).optional().describe("Bytes at most"),
    start_line: z.int().min(1).optional().describe("First line, from 1"),
    line_count: z.int().min(1).optional(),
    encoding: z.enum(["text", "base64"]).optional().describe("Of the answer; default text"),
    machine: machineArgument,
  }),
  output: z.object({
    encoding: z.string(),
    content: z.string(),
    offset: z.int(),
    bytes: z.int(),
    nextOffset: z.int().nullable(),
    notes: z.array(z.string()).optional(),
    sha256: z.string().optional(),
  }),
  annotations: readOnly,
  handler: async (args, { client, over }) => {
    const { files } = pickMachine(client, args.machine);
    const at = (offset: number, length: number) => files.read(args.path, { offset, length, signal: over });
    const byLines = args.start_line !== undefined || args.line_count !== undefined;
    if (byLines && (args.offset !== undefined || args.length !== undefined)) {
      throw new OwnError("InvalidArgument", "files_read takes a range of bytes or of lines, not both.", {
        next: "Leave out offset and length, or start_line and line_count.",
      });
    }
    const read = byLines
      ? await readLines(at, args.path, { startLine: args.start_line ?? 1, lineCount: args.line_count })
      : await readBytes(at, { offset: args.offset ?? 0, length: args.length ?? DEFAULT_READ_BYTES });
    const size = async () => (await files.info(args.path, { signal: over })).size;
    const answer =
      args.encoding === "base64" ? asBase64(read) : (asText(read) ?? (await asBinary(read, size)));
    const { content, notes, offset, bytes, nextOffset } = answer;
    const sha256 = hashOfWhole(read);
    const told = [
      ...notes,
      ...(nextOffset === null || answer.encoding === "binary"
        ? []
        : [`bytes ${offset} to ${offset + bytes}; more follows: offset ${nextOffset}`]),
      ...(sha256 === undefined ? [] : [`sha256 ${sha256}`]),
    ];
    const { notes: _, ...facts } = answer;
    return {
      text: [
        ...(answer.encoding === "binary" ? [] : [content === "" ? "(empty)" : asData(content)]),
        ...(told.length > 0 ? [`[${told.join("; ")}]`] : []),
      ],
      structured: {
        ...facts,
        ...(notes.length === 0 ? {} : { notes: [...notes] }),
        ...(sha256 === undefined ? {} : { sha256 }),
      },
    };
  },
});

/** The hash to give as if_match, where the bytes that make it are all here: it costs no second look at the file. */
function hashOfWhole({ window: { bytes, offset, nextOffset } }: FileWindow): string | undefined {
  if (offset !== 0 || nextOffset !== null) return undefined;
  return createHash("sha256").update(bytes).digest("hex");
}

export const info = defineTool({
  name: "files_info",
  title: "files.info",
  description: "Describe a file, directory or link (a link itself, not what it points at).",
  input: z.strictObject({
    path,
    hash: z.boolean().optional().describe("Also sha256"),
    machine: machineArgument,
  }),
  output: entrySchema,
  annotations: readOnly,
  handler: async (args, { client, over }) => {
    const entry = await pickMachine(client, args.machine).files.info(args.path, {
      hash: args.hash,
      signal: over,
    });
    const { name: _, unread: __, mode, ...rest } = entry;
    const facts = [
      kindAndSize(entry),
      `mode ${octal(mode)}`,
      `owner ${entry.uid}:${entry.gid}`,
      `changed ${timeText(entry.mtimeMs)}`,
      ...(entry.sha256 === undefined ? [] : [`sha256 ${printable(entry.sha256)}`]),
    ];
    return {
      text: [asData(`${printable(entry.path)}${arrow(entry)}: ${facts.join(", ")}`)],
      structured: { ...rest, mode: octal(mode) },
    };
  },
});

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
