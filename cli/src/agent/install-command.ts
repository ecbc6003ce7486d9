import type { Command } from "commander";
import { usageError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { warn } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import type { UnitScope } from "./unit.ts";

interface InstallCommandOptions {
  user?: boolean;
  system?: boolean;
  join?: string;
  hardened?: boolean;
  start: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function registerAgentInstall(agent: Command): void {
  agent
    .command("install")
    .description("let systemd run the agent: joins first, writes a unit, enables and starts it")
    .option("--user", "as this user, by the user's own systemd; the default unless root asks")
    .option("--system", "as root, by the machine's systemd; the default for root")
    .option("--join <file>", "join first, with the token in this file; - reads standard input")
    .option("--hardened", "for a policy that withholds terminal and agent: shuts off what only jobs need")
    .option("--no-start", "write the unit only")
    .option("--dry-run", "print the unit only")
    .option("--json", "print one line of JSON: machine, unitFile, started, kept")
    .addHelpText(
      "after",
      `
Examples:
  cmdop agent install --join -              # paste the token that cmdop join-token printed
  sudo cmdop agent install --system --join token.txt
  cmdop agent install --dry-run

The token is used up before the unit is written; no secret is in the unit. The state stays in
CMDOP_HOME (default ~/.cmdop), and so does the agent's policy.json. HTTPS_PROXY, ALL_PROXY and
NO_PROXY of this environment are kept for the service, in a file there that only its user can read.`,
    )
    // --join is of the parent, too, and is taken by whichever sees it first.
    .action(async (_own: InstallCommandOptions, command: Command) => {
      const options = command.optsWithGlobals<InstallCommandOptions>();
      const scope = unitScope(options);
      const [{ homePaths }, { ownCommand }, { systemdManager }, environment, { unitText, UNIT_NAME }] =
        await Promise.all([
          import("../home/home.ts"),
          import("../own-command.ts"),
          import("./manager.ts"),
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
      const [{ installUnit }, { joinOnce }] = await Promise.all([
        import("./install.ts"),
        import("./join-once.ts"),
      ]);
      const name = await joinOnce(home, options.join);
      const kept = await environment.keepServiceEnvironment(home);
      const manager = systemdManager(scope);
      const isStarted = await installUnit(manager, text, options.start);
      const systemctl = scope === "user" ? "systemctl --user" : "systemctl";
      if (options.json) {
        const { unitFile } = manager;
        process.stdout.write(jsonLine({ machine: name, unitFile, started: isStarted, kept }));
        return;
      }
      process.stdout.write(`wrote ${manager.unitFile}\n`);
      if (kept.length > 0) {
        process.stdout.write(`kept ${kept.join(", ")} of this environment in ${environmentFile}\n`);
      }
      process.stdout.write(
        isStarted
          ? `machine ${name} runs: ${systemctl} status ${UNIT_NAME}\n`
          : `Start it with: ${systemctl} daemon-reload && ${systemctl} enable --now ${UNIT_NAME}\n`,
      );
      if (scope === "user") {
        process.stdout.write("So that it runs while you are logged out, too: loginctl enable-linger\n");
      }
    });
}

/** Warns where root would run files of another user: under sudo, Node and cmdop are often a user's own. */
async function warnOfOthers(files: readonly string[]): Promise<void> {
  const { changeableByOthers } = await import("./changeable.ts");
  for (const found of await changeableByOthers(files)) {
    warn(`the agent will run as root, but others than root can change ${printable(found)}`);
  }
}

/** Names the systemd that is meant. */
export function unitScope({ user, system }: { user?: boolean; system?: boolean }): UnitScope {
  if (user && system) throw usageError("--user and --system exclude each other.", "Say one of them.");
  const isRoot = process.getuid?.() === 0;
  if (system && !isRoot) {
    throw usageError("only root can install it for the machine.", "Use sudo, or say --user.");
  }
  return user || !isRoot ? "user" : "system";
}
