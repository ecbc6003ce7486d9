import type { Tool } from "./tool.ts";
import { AGENT_TOOLS } from "./tools/agent.ts";
import { FILE_TOOLS } from "./tools/files.ts";
import { MACHINE_TOOLS } from "./tools/machines.ts";
import { TERMINAL_TOOLS } from "./tools/terminal.ts";

/** Every tool, in the order of the listing. */
export const TOOLS: readonly Tool[] = [...TERMINAL_TOOLS, ...FILE_TOOLS, ...AGENT_TOOLS, ...MACHINE_TOOLS];
