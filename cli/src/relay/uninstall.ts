import type { Command } from "commander";
import { addScopeOptions, type ScopeOptions, unitScope } from "../service/scope.ts";

export function registerRelayUninstall(relay: Command): void {
  addScopeOptions(relay.command("uninstall"))
    .description("stop the installed relay and remove its unit; its keys and store stay")
    .option("--no-stop", "remove the unit only, without a word to systemd")
    .action(async (options: ScopeOptions & { stop: boolean }) => {
      const scope = unitScope(options);
      const [{ uninstallUnit }, { systemdManager }, { RELAY_UNIT }] = await Promise.all([
        import("../service/install.ts"),
        import("../service/manager.ts"),
        import("./unit.ts"),
      ]);
      const manager = systemdManager(scope, RELAY_UNIT);
      const home = await uninstallUnit(manager, options.stop);
      process.stdout.write(`removed ${manager.unitFile}\nits keys and store stay in ${home}/relay\n`);
    });
}
