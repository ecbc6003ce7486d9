import { z } from "zod";
import { MAX_WRITE_BYTES } from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { OwnError } from "../own-error.ts";
import { defineTool } from "../tool.ts";
import { changed, changedSchema, changes, ifMatch, parents, path } from "./file-schemas.ts";

export const write = defineTool({
  name: "files_write",
  title: "files.write",
  description: `Write a whole file (${MAX_WRITE_BYTES / 1024 / 1024} MiB at most); an existing file is replaced.`,
  input: z.strictObject({
    path,
    content: z.string(),
    encoding: z.enum(["utf8", "base64"]).optional().describe("Of content; default utf8"),
    parents,
    if_match: ifMatch,
    if_absent: z.boolean().optional().describe("Only if there is none"),
    append: z.boolean().optional().describe("Add to the end instead"),
    machine: machineArgument,
  }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: true, idempotentHint: false },
  handler: async (args, { client, over }) => {
    const content = bytesOf(args.content, args.encoding ?? "utf8");
    const entry = await pickMachine(client, args.machine).files.write(args.path, content, {
      parents: args.parents,
      // Models write an empty string for an argument they leave out.
      ifMatch: args.if_match || undefined,
      ifAbsent: args.if_absent,
      append: args.append,
      signal: over,
    });
    const did = args.append === true ? "appended" : "wrote";
    return changed(`${did} ${content.length} bytes to`, args.path, entry);
  },
});

export const edit = defineTool({
  name: "files_edit",
  title: "files.edit",
  description:
    "Replace exact text in a file. It must occur exactly once, unless all is set; else nothing changes.",
  input: z.strictObject({
    path,
    old: z.string().min(1).describe("Spaces and tabs count"),
    new: z.string(),
    all: z.boolean().optional().describe("Replace every occurrence"),
    if_match: ifMatch,
    machine: machineArgument,
  }),
  output: changedSchema.extend({ replacements: z.int() }),
  annotations: { ...changes, destructiveHint: true, idempotentHint: false },
  handler: async (args, { client, over }) => {
    const entry = await pickMachine(client, args.machine).files.edit(args.path, {
      old: args.old,
      new: args.new,
      all: args.all,
      ifMatch: args.if_match || undefined,
      signal: over,
    });
    const { replacements } = entry;
    const places = replacements === 1 ? "1 place" : `${replacements} places`;
    const { text, structured } = changed(`replaced ${places} in`, args.path, entry);
    return { text, structured: { ...structured, replacements } };
  },
});

function bytesOf(content: string, encoding: "utf8" | "base64"): Buffer {
  if (encoding === "base64" && !z.base64().safeParse(content).success) {
    throw new OwnError("InvalidArgument", "content is not base64 (the standard alphabet, with padding).", {
      next: "Send plain text with encoding utf8, or correct the base64.",
    });
  }
  const bytes = Buffer.from(content, encoding);
  if (bytes.length <= MAX_WRITE_BYTES) return bytes;
  throw new OwnError(
    "MessageTooLarge",
    `content has ${bytes.length} bytes; files_write takes ${MAX_WRITE_BYTES} at most.`,
    { next: "Write it in parts, the second and later ones with append, or use the SDK's files.upload." },
  );
}
