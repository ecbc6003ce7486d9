import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { addScopeOptions, type ScopeOptions, unitScope } from "../service/scope.ts";

interface UninstallCommandOptions extends ScopeOptions {
  purge?: boolean;
  stop: boolean;
  json?: boolean;
}

export function registerAgentUninstall(agent: Command): void {
  addScopeOptions(agent.command("uninstall"))
    .description("stop the installed agent and remove its unit; its state stays")
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
      const [{ rm }, { uninstallUnit }, { systemdManager }, { agentStateDir }, environment, { UNIT_NAME }] =
        await Promise.all([
          import("node:fs/promises"),
          import("../service/install.ts"),
          import("../service/manager.ts"),
          import("@cmdop/proto"),
          import("./service-environment.ts"),
          import("./unit.ts"),
        ]);
      const manager = systemdManager(scope, UNIT_NAME);
      const home = await uninstallUnit(manager, options.stop);
      await rm(environment.serviceEnvironmentFile(home), { force: true });
      if (options.purge) await rm(agentStateDir(home), { recursive: true, force: true });
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
