import { CANCEL_METHOD, cancelCommandTool, WAIT_METHOD, waitCommandTool } from "./command-handles.ts";
import { EDIT_METHOD, editFileTool } from "./edit-file.ts";
import { EXECUTE_METHOD, type ExecuteOptions, executeTool, startTool } from "./execute.ts";
import {
  type FileToolOptions,
  LIST_METHOD,
  listFilesTool,
  READ_METHOD,
  readFileTool,
  WRITE_METHOD,
  writeFileTool,
} from "./files.ts";
import { OpenCommands } from "./open-commands.ts";
import { OpenSessions } from "./open-sessions.ts";
import { SEARCH_METHOD, searchFilesTool } from "./search-files.ts";
import {
  SESSION_CLOSE_METHOD,
  SESSION_SCREEN_METHOD,
  SESSION_START_METHOD,
  SESSION_TYPE_METHOD,
  sessionCloseTool,
  sessionScreenTool,
  sessionStartTool,
  sessionTypeTool,
} from "./sessions.ts";
import { mayEver } from "./tool-gate.ts";
import { makeTool, once, type RunTools, type ToolMaker } from "./tools.ts";

/** The dependencies of a run's tools. */
export type RunToolOptions = ExecuteOptions & FileToolOptions;

/** Makes the tools that a caller's scopes allow at all. Each use passes the gate again. */
export function runTools(options: RunToolOptions, maker: ToolMaker): RunTools {
  const { caller } = options;
  const commands = new OpenCommands();
  const sessions = new OpenSessions();
  return {
    ...(mayEver(caller, EXECUTE_METHOD) && makeTool(maker, startTool(options, commands))),
    ...(mayEver(caller, WAIT_METHOD) && makeTool(maker, waitCommandTool(options, commands))),
    ...(mayEver(caller, CANCEL_METHOD) && makeTool(maker, cancelCommandTool(options, commands))),
    ...(mayEver(caller, SESSION_START_METHOD) && makeTool(maker, sessionStartTool(options, sessions))),
    ...(mayEver(caller, SESSION_TYPE_METHOD) && makeTool(maker, sessionTypeTool(options, sessions))),
    ...(mayEver(caller, SESSION_SCREEN_METHOD) && makeTool(maker, sessionScreenTool(options, sessions))),
    ...(mayEver(caller, SESSION_CLOSE_METHOD) && makeTool(maker, sessionCloseTool(options, sessions))),
    ...(mayEver(caller, READ_METHOD) && makeTool(maker, readFileTool(options))),
    ...(mayEver(caller, WRITE_METHOD) && makeTool(maker, writeFileTool(options))),
    ...(mayEver(caller, EDIT_METHOD) && makeTool(maker, editFileTool(options))),
    ...(mayEver(caller, LIST_METHOD) && makeTool(maker, listFilesTool(options))),
    ...(mayEver(caller, SEARCH_METHOD) && makeTool(maker, searchFilesTool(options))),
  };
}

/** Makes the tool that runs one command to its end, if the caller may run commands. */
export function oneCommandTool(options: ExecuteOptions, maker: ToolMaker): RunTools {
  return mayEver(options.caller, EXECUTE_METHOD) ? makeTool(maker, once(executeTool(options))) : {};
}
