import { Files } from "@cmdop/proto";
import { z } from "zod";
import { type FileToolOptions, filePath, howWritten } from "./files.ts";
import type { ToolSpec } from "./tools.ts";

const input = z.object({
  path: filePath,
  old: z.string().min(1).describe("The exact text that stands there: spaces and tabs count."),
  new: z.string().describe("What takes its place; empty takes it away."),
  all: z
    .boolean()
    .optional()
    .describe(
      "Replace every occurrence; unless given there must be exactly one, and nothing is changed else.",
    ),
});

export const EDIT_METHOD = "/cmdop.v1.Files/Edit";

/**
 * Makes the tool that replaces exact text in a file, atomically or not at all; changes that others make
 * meanwhile stay.
 */
export function editFileTool({ caller, gate, files }: FileToolOptions): ToolSpec<z.infer<typeof input>> {
  return {
    name: "edit_file",
    touches: "writes",
    description: "Replaces exact text in a text file of this machine; the rest stays as it is.",
    input,
    run: async ({ path, old, new: substitute, all = false }, use) => {
      const wanted = { old: Buffer.from(old), new: Buffer.from(substitute), all };
      const call = { caller, path: EDIT_METHOD, type: Files.method.edit.input, use };
      const { replacements, entry } = await gate({ ...call, request: { path, ...wanted } }, (admitted) =>
        files(admitted).edit({ path, ...wanted }, { signal: use.signal }),
      );
      return {
        ok: true,
        text: `replaced ${replacements} ${replacements === 1 ? "place" : "places"} in ${path}${howWritten(entry)}`,
      };
    },
  };
}
