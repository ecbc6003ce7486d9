import { printable } from "@cmdop/proto";
import { z } from "zod";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { defineTool } from "../tool.ts";
import { changed, changedSchema, changes, overwrite, parents, path } from "./file-schemas.ts";

const source = path;
const destination = z.string().describe("The new path itself, not a directory to put it in");

export const remove = defineTool({
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
    return { text: [`deleted ${printable(args.path)}`], structured: { deleted: args.path } };
  },
});

export const copy = defineTool({
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
    return changed(`copied ${printable(args.source)} to`, args.destination, entry);
  },
});

export const move = defineTool({
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
    return changed(`moved ${printable(args.source)} to`, args.destination, entry);
  },
});

export const mkdir = defineTool({
  name: "files_mkdir",
  title: "files.mkdir",
  description: "Make a directory.",
  input: z.strictObject({
    path,
    parents: parents.describe("Make missing parents; accept one that exists"),
    machine: machineArgument,
  }),
  output: changedSchema,
  annotations: { ...changes, destructiveHint: false, idempotentHint: true },
  handler: async (args, { client }) => {
    const entry = await pickMachine(client, args.machine).files.mkdir(args.path, {
      parents: args.parents,
    });
    return changed("made", args.path, entry);
  },
});
