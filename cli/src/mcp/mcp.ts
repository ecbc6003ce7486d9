import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../console/duration.ts";
import { usageError } from "../console/exit.ts";
import { leavePassphraseBehind } from "../passphrase/start-over.ts";
import { registerMcpConfig } from "./config-command.ts";

/** An answer can't be held back for longer, in seconds: most clients cut a call at 60 s, and it still has to travel. */
const LONGEST_WAIT_S = 45;

interface McpCommandOptions {
  machine?: string;
  toolNames: string;
  wait: number;
}

export function registerMcp(program: Command): void {
  const mcp = program
    .command("mcp")
    .enablePositionalOptions()
    .description(
      "serve the machines as MCP tools on standard input and output, for Claude, Cursor and others",
    )
    .option("--machine <machine>", "id or name of the machine that tools use where they are told none")
    .option(
      "--tool-names <style>",
      "underscore (terminal_execute) or dotted (terminal.execute)",
      "underscore",
    )
    .option(
      "--wait <duration>",
      `how long a call waits for the end of its command: below the client's own limit, ${LONGEST_WAIT_S}s at most`,
      parseWait,
      LONGEST_WAIT_S,
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
      await serveMcpStdio({
        client,
        ownMachine,
        version: VERSION,
        toolNames,
        timings: { waitMs: options.wait * 1000 },
        signal: terminationSignal(),
      });
    });
  registerMcpConfig(mcp);
}

function parseWait(text: string): number {
  const seconds = parseDuration(text);
  if (seconds > LONGEST_WAIT_S) throw new InvalidArgumentError(`It can be ${LONGEST_WAIT_S}s at most.`);
  return seconds;
}
