import { asData, printable } from "@cmdop/proto";
import type { FileInfo } from "@cmdop/sdk";
import { z } from "zod";
import type { ToolAnswer } from "../tool.ts";

/** What the tools of the files family have in common. */

export const path = z.string().describe("Absolute, or ~/…");
export const overwrite = z.boolean().optional().describe("Replace an existing file");
export const parents = z.boolean().optional().describe("Make missing directories");
export const ifMatch = z.string().optional().describe("Only if its sha256 is this");

/** Which part of a tree. */
export const tree = {
  name: z.array(z.string()).optional().describe("Globs: *.ts, src/**/*.js"),
  exclude: z.array(z.string()).optional().describe("Globs, as node_modules"),
};

export const entrySchema = z.object({
  path: z.string(),
  type: z.enum(["file", "directory", "symlink", "other"]),
  size: z.int(),
  mtimeMs: z.number(),
  mode: z.string(),
  uid: z.int(),
  gid: z.int(),
  linkTarget: z.string().optional(),
  sha256: z.string().optional(),
});

/** What a change comes to; files_info has the rest. */
export const changedSchema = entrySchema.pick({ path: true, type: true, size: true, sha256: true }).extend({
  written: z
    .object({ atomic: z.boolean(), linkSplit: z.boolean(), message: z.string() })
    .optional()
    .describe("If not simply replaced"),
});

export const readOnly = { readOnlyHint: true, openWorldHint: false };
export const changes = { readOnlyHint: false, openWorldHint: false };

/** The answer of a change: `text` in words of ours and the call's; what the machine calls the file, where it differs, is data. */
export function changed(
  text: string,
  asked: string,
  { path, type, size, sha256, written }: FileInfo,
): ToolAnswer<z.output<typeof changedSchema>> {
  const known = {
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(written === undefined ? {} : { written }),
  };
  const hash = sha256 === undefined ? "" : `, sha256 ${hexText(sha256)}`;
  const name = path === asked ? "" : `; it is\n${asData(printable(path))}`;
  return {
    text: [`${text} ${printable(asked)}${hash}${name}${howWritten(written)}`],
    structured: { path, type, size, ...known },
  };
}

/** How it was written, where that was not as usual; the machine's reason is data. */
function howWritten(written: FileInfo["written"]): string {
  if (written === undefined) return "";
  const how = written.atomic ? "not all is as before" : "in place, not atomically";
  return `; ${how}:\n${asData(printable(written.message))}`;
}

/** A hash as it may stand in a sentence of ours. */
function hexText(hash: string): string {
  return /^[0-9a-f]+$/.test(hash) ? hash : "unreadable";
}

export function kindAndSize(entry: Pick<FileInfo, "type" | "size">): string {
  return entry.type === "file" ? `file ${entry.size} bytes` : entry.type;
}

export function arrow(entry: { readonly linkTarget?: string | undefined }): string {
  return entry.linkTarget === undefined ? "" : ` -> ${printable(entry.linkTarget)}`;
}
