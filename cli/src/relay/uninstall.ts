import path from "node:path";
import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { addScopeOptions, type ScopeOptions, unitScope } from "../service/scope.ts";

export function registerRelayUninstall(relay: Command): void {
  addScopeOptions(relay.command("uninstall"))
    .description("stop the installed relay and remove its unit; its keys and store stay")
    .option("--no-stop", "remove the unit only, without a word to systemd")
    .option("--json", "print one line of JSON: unitFile, stateDir")
    .action(async (options: ScopeOptions & { stop: boolean; json?: boolean }) => {
      const scope = unitScope(options);
      const [{ uninstallUnit }, { systemdManager }, { RELAY_UNIT }] = await Promise.all([
        import("../service/install.ts"),
        import("../service/manager.ts"),
        import("./unit.ts"),
      ]);
      const manager = systemdManager(scope, RELAY_UNIT);
      const home = await uninstallUnit(manager, options.stop);
      const { unitFile } = manager;
      const stateDir = path.join(home, "relay");
      process.stdout.write(
        options.json
          ? jsonLine({ unitFile, stateDir })
          : `removed ${unitFile}\nits keys and store stay in ${stateDir}\n`,
      );
    });
}
