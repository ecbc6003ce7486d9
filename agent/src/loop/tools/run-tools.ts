import { EDIT_METHOD, editFileTool } from "./edit-file.ts";
import { EXECUTE_METHOD, type ExecuteOptions, executeTool } from "./execute.ts";
import {
  type FileToolOptions,
  LIST_METHOD,
  listFilesTool,
  READ_METHOD,
  readFileTool,
  WRITE_METHOD,
  writeFileTool,
} from "./files.ts";
import { SEARCH_METHOD, searchFilesTool } from "./search-files.ts";
import { mayEver } from "./tool-gate.ts";
import { makeTool, type RunTools, type ToolMaker, type ToolSpec } from "./tools.ts";

/** What the tools of a run work with. */
export type RunToolOptions = ExecuteOptions & FileToolOptions;

/** The tools that a caller's scopes allow at all; each use passes the gate again. */
export function runTools(options: RunToolOptions, maker: ToolMaker): RunTools {
  const { caller } = options;
  return {
    ...commandTool(options, maker),
    ...(mayEver(caller, READ_METHOD) && makeTool(maker, readFileTool(options))),
    ...(mayEver(caller, WRITE_METHOD) && makeTool(maker, writeFileTool(options))),
    ...(mayEver(caller, EDIT_METHOD) && makeTool(maker, editFileTool(options))),
    ...(mayEver(caller, LIST_METHOD) && makeTool(maker, listFilesTool(options))),
    ...(mayEver(caller, SEARCH_METHOD) && makeTool(maker, searchFilesTool(options))),
  };
}

/** The tool that runs commands, where the caller may run any. */
export function commandTool(options: ExecuteOptions, maker: ToolMaker, limit = unlimited): RunTools {
  return mayEver(options.caller, EXECUTE_METHOD) ? makeTool(maker, limit(executeTool(options))) : {};
}

function unlimited<I>(spec: ToolSpec<I>): ToolSpec<I> {
  return spec;
}
