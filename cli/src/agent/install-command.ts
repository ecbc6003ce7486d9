import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import {
  addScopeOptions,
  howToStart,
  lingerText,
  type ScopeOptions,
  systemctlWords,
  unitScope,
  warnOfOthers,
} from "../service/scope.ts";

interface InstallCommandOptions extends ScopeOptions {
  join?: string;
  hardened?: boolean;
  start: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function registerAgentInstall(agent: Command): void {
  addScopeOptions(agent.command("install"))
    .description("let systemd run the agent: joins first, writes a unit, enables and starts it")
    .option("--join <file>", "join first, with the token in this file; - reads standard input")
    .option("--hardened", "for a policy that withholds terminal and agent: shuts off what only jobs need")
    .option("--no-start", "write the unit only")
    .option("--dry-run", "print the unit only")
    .option("--json", "print one line of JSON: unitFile, started, kept, machine, linked, linkError, linkNext")
    .addHelpText(
      "after",
      `
Examples:
  cmdop agent install --join -              # paste the token that cmdop join-token printed
  sudo cmdop agent install --system --join token.txt
  cmdop agent install --dry-run

The token is used up before the unit is written; no secret is in the unit. The state stays in
CMDOP_HOME (default ~/.cmdop), and so does the agent's policy.json. HTTPS_PROXY, ALL_PROXY and
NO_PROXY of this environment are kept for the service, in a file there that only its user can read.

It can be given again, for another version or proxy: the agent is started anew, and its jobs end.

Exit codes: 0; 1 where it was not installed, or the relay can't reach the machine.`,
    )
    // --join is of the parent, too, and is taken by whichever sees it first.
    .action(async (_own: InstallCommandOptions, command: Command) => {
      const options = command.optsWithGlobals<InstallCommandOptions>();
      const scope = unitScope(options);
      const [{ homePaths }, { ownCommand }, { systemdManager }, environment, { unitText, UNIT_NAME }] =
        await Promise.all([
          import("../home/home.ts"),
          import("../own-command.ts"),
          import("../service/manager.ts"),
          import("./service-environment.ts"),
          import("./unit.ts"),
        ]);
      const home = homePaths.home();
      const relay = process.env.CMDOP_RELAY || undefined;
      const own = ownCommand();
      const environmentFile = environment.serviceEnvironmentFile(home);
      const text = unitText({ scope, ...own, home, relay, environmentFile, hardened: options.hardened });
      if (scope === "system") await warnOfOthers([own.program, own.main, home]);
      if (options.dryRun) {
        process.stdout.write(text);
        return;
      }
      const [{ installUnit }, { joinFirst }, { inPlaceOf }, { linkedAgent }, { printable }, { CmdopError }] =
        await Promise.all([
          import("../service/install.ts"),
          import("./join-first.ts"),
          import("../service/in-place-of.ts"),
          import("../home/running-agent.ts"),
          import("../console/printable.ts"),
          import("@cmdop/sdk"),
        ]);
      const manager = systemdManager(scope, UNIT_NAME);
      const startAgain = await joinFirst(home, options.join, manager);
      const kept = await environment.keepServiceEnvironment(home);
      const isStarted = await inPlaceOf(startAgain, () => installUnit(manager, text, options.start));
      if (!isStarted) await startAgain();
      const agent = isStarted ? await linkedAgent() : undefined;
      if (options.json) {
        const { unitFile } = manager;
        const { name: machine = null, linked = false, linkError = "", linkNext = "" } = agent ?? {};
        const shown = { machine, unitFile, started: isStarted, linked, linkError, linkNext, kept };
        process.stdout.write(jsonLine(shown));
      } else {
        process.stdout.write(`wrote ${manager.unitFile}\n`);
        if (kept.length > 0) {
          process.stdout.write(`kept ${kept.join(", ")} of this environment in ${environmentFile}\n`);
        }
        const look = `${systemctlWords(scope)} status ${UNIT_NAME}`;
        if (agent?.linked) process.stdout.write(`machine ${printable(agent.name)} is online: ${look}\n`);
        process.stdout.write((isStarted ? "" : howToStart(scope, manager)) + lingerText(scope));
      }
      if (agent === undefined || agent.linked) return;
      throw new CmdopError(
        "MachineOffline",
        `The agent of ${agent.name} runs, but its relay can't reach it yet: ${agent.linkError}`,
        {
          next: `${agent.linkNext || "It goes on trying."} See ${systemctlWords(scope)} status ${UNIT_NAME}.`,
        },
      );
    });
}
