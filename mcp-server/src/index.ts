export type { ToolClient } from "./client.ts";
export { type ListedTool, listTools } from "./listing.ts";
export { type ServeMcpStdioOptions, serveMcpStdio } from "./stdio.ts";
export type { Tool, ToolAnswer, ToolContext } from "./tool.ts";
export { TOOLS } from "./tools.ts";
