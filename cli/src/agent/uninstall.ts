import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { unitScope } from "./install-command.ts";

interface UninstallCommandOptions {
  user?: boolean;
  system?: boolean;
  purge?: boolean;
  stop: boolean;
  json?: boolean;
}

export function registerAgentUninstall(agent: Command): void {
  agent
    .command("uninstall")
    .description("stop the installed agent and remove its unit; its state stays")
    .option("--user", "the one of this user; the default unless root asks")
    .option("--system", "the machine's; the default for root")
    .option("--no-stop", "remove the unit only, without a word to systemd")
    .option("--purge", "delete its state too: the machine's key, what it joined, its jobs and audit")
    .option("--json", "print one line of JSON: unitFile, stateDir, purged")
    .addHelpText(
      "after",
      `
Examples:
  cmdop agent uninstall
  sudo cmdop agent uninstall --purge     # to join anew it needs a new token`,
    )
    .action(async (options: UninstallCommandOptions) => {
      const scope = unitScope(options);
      const [{ uninstallUnit }, { systemdManager }, { agentStateDir }] = await Promise.all([
        import("./install.ts"),
        import("./manager.ts"),
        import("@cmdop/proto"),
      ]);
      const manager = systemdManager(scope);
      const home = await uninstallUnit(manager, { purge: options.purge ?? false, stop: options.stop });
      if (options.json) {
        const { unitFile } = manager;
        process.stdout.write(
          jsonLine({ unitFile, stateDir: agentStateDir(home), purged: options.purge ?? false }),
        );
        return;
      }
      process.stdout.write(`removed ${manager.unitFile}\n`);
      process.stdout.write(
        options.purge
          ? `deleted ${agentStateDir(home)}; the relay forgets the machine with cmdop machines remove\n`
          : `its state stays in ${agentStateDir(home)}\n`,
      );
    });
}
