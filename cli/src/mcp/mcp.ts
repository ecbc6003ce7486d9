import type { Command } from "commander";
import { usageError } from "../console/exit.ts";
import { leavePassphraseBehind } from "../passphrase/start-over.ts";

interface McpCommandOptions {
  machine?: string;
  toolNames: string;
}

export function registerMcp(program: Command): void {
  program
    .command("mcp")
    .description(
      "serve the machines as MCP tools on standard input and output, for Claude, Cursor and others",
    )
    .option("--machine <machine>", "id or name of the machine that tools use where they are told none")
    .option(
      "--tool-names <style>",
      "underscore (terminal_execute) or dotted (terminal.execute)",
      "underscore",
    )
    .action(async (options: McpCommandOptions) => {
      leavePassphraseBehind();
      const { toolNames } = options;
      if (toolNames !== "underscore" && toolNames !== "dotted") {
        throw usageError(
          `there are no ${JSON.stringify(toolNames)} tool names.`,
          "Say --tool-names underscore or dotted.",
        );
      }
      const [{ CMDOPClient }, { serveMcpStdio }, { terminationSignal }, { VERSION }] = await Promise.all([
        import("@cmdop/sdk"),
        import("@cmdop/mcp-server"),
        import("../console/signals.ts"),
        import("../version.ts"),
      ]);
      await using client = CMDOPClient.fromProfile({ machine: options.machine });
      const ownMachine = client.machineName;
      await serveMcpStdio({ client, ownMachine, version: VERSION, toolNames, signal: terminationSignal() });
    });
}
