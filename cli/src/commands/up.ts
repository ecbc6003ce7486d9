import type { Command } from "commander";
import { parsePort } from "../arguments.ts";
import { DEFAULT_RELAY_PORT } from "../defaults.ts";

interface UpCommandOptions {
  name?: string;
  host: string;
  port: number;
  log?: "text" | "json";
  json?: boolean;
}

export function registerUp(program: Command): void {
  program
    .command("up")
    .description("owner, relay and agent for this machine in one command; stays up until Ctrl-C")
    .option("--name <name>", "what this machine is called; its host name unless given")
    .option("--host <address>", "address that the relay listens on", "127.0.0.1")
    .option(
      "--port <port>",
      "port that the relay listens on; 0 lets the system choose",
      parsePort,
      DEFAULT_RELAY_PORT,
    )
    .option("--log <format>", "log to stderr as text or json; only warnings unless given")
    .option("--json", "print one line of JSON when ready")
    .action(async (options: UpCommandOptions) => {
      const [{ bringUp }, { readyText }, { aborted, terminationSignal }] = await Promise.all([
        import("../bring-up.ts"),
        import("../mcp-config.ts"),
        import("../signals.ts"),
      ]);
      const stop = terminationSignal();
      const up = await bringUp(options);
      try {
        process.stdout.write(options.json ? `${JSON.stringify(up.ready)}\n` : readyText(up.ready));
        await aborted(stop);
      } finally {
        await up.shutdown();
      }
    });
}
