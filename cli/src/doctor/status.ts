import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";

export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("show this home in one screen: owner, relay, key, machines, and the agent here")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop status
  cmdop status --json | jq .machines

It asks nothing of machines; cmdop doctor checks more, and says what to do.`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const [{ homeStatus }, { statusText }] = await Promise.all([
        import("./home-status.ts"),
        import("./status-text.ts"),
      ]);
      const status = await homeStatus();
      process.stdout.write(json ? jsonLine(status) : statusText(status));
    });
}
