import { asData, printable } from "@cmdop/proto";
import { CmdopError } from "@cmdop/sdk";
import type { CallToolResult } from "@modelcontextprotocol/server";
import { MAX_ERROR_CHARS } from "./limits.ts";
import { OwnError } from "./own-error.ts";
import type { ToolAnswer } from "./tool.ts";

/** What to do next in terms of tools, where the error's own advice speaks of the SDK or the command line. */
const NEXT_BY_CODE: Readonly<Partial<Record<CmdopError["code"], string>>> = {
  MachineRequired: "Name the machine in the machine argument; machines_list shows which there are.",
  MachineUnknown: "machines_list shows the machines that this key reaches.",
  MachineAmbiguous: "Use the machine's id; machines_list shows it.",
  MachineOffline:
    "machines_list shows when it was last seen; its operator has to bring it back. What was left running there may still run.",
  MachineQuarantined: "Use another machine, and tell the person that its owner has to decide about this one.",
  NotFound: "Check the path; files_list shows what there is.",
  AlreadyExists: "Choose another path, or set overwrite where the tool has it.",
  IsADirectory: "Name a file, or set recursive where the tool has it.",
  DirectoryNotEmpty: "Set recursive to delete the directory with its content.",
  NotAFile: "Only regular files can be read and written; read devices and FIFOs with terminal_execute.",
};

/** An answer as MCP carries it. */
export function resultOf({ text, structured }: ToolAnswer<Record<string, unknown>>): CallToolResult {
  return { content: text.map((block) => ({ type: "text", text: block })), structuredContent: structured };
}

/**
 * A failure as MCP carries it: a result that the model reads, with the next thing
 * to do. What another than this server says is data, and so is its advice.
 */
export function failureOf(thrown: unknown): CallToolResult {
  return { content: [{ type: "text", text: textOf(CmdopError.from(thrown)) }], isError: true };
}

function textOf(error: CmdopError): string {
  const { code, message } = error;
  const next = NEXT_BY_CODE[code] ?? (error instanceof OwnError ? error.next : undefined);
  if (error instanceof OwnError) return `${code}: ${bounded(message)}\n\nNext: ${bounded(next ?? "")}`;
  const said = bounded(printable(message));
  if (next !== undefined) return `${code}:\n${asData(said)}\n\nNext: ${next}`;
  return `${code}:\n${asData(`${said}\nNext: ${bounded(printable(error.next))}`)}`;
}

function bounded(text: string): string {
  return text.length <= MAX_ERROR_CHARS ? text : `${text.slice(0, MAX_ERROR_CHARS)}…`;
}
