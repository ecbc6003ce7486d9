import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";

export function registerMcpConfig(mcp: Command): void {
  mcp
    .command("config")
    .description("print the block to paste into an MCP client, as cmdop up did; it holds no secret")
    .option("--json", "print the block for Claude and Cursor as one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop mcp config
  cmdop mcp config --json > ~/project/.mcp.json`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const [{ mcpServerBlock, pasteText }, { homePaths }, { existsSync }] = await Promise.all([
        import("./config.ts"),
        import("../home/home.ts"),
        import("node:fs"),
      ]);
      const block = mcpServerBlock(homePaths.home());
      process.stdout.write(json ? jsonLine(block) : `${pasteText(block)}\n`);
      if (!existsSync(homePaths.profile())) {
        note(
          `note: ${homePaths.profile()} does not exist, so the server has no key yet: run cmdop up, or cmdop keys create NAME … --save`,
        );
      }
    });
}
