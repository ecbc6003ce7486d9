import path from "node:path";
import type { Command } from "commander";
import { usageError } from "../console/exit.ts";
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
import { addRelayOptions, type RelayCommandOptions } from "./relay.ts";

interface InstallCommandOptions extends RelayCommandOptions, ScopeOptions {
  start: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function registerRelayInstall(relay: Command): void {
  addScopeOptions(addRelayOptions(relay.command("install")))
    .description("let systemd run the relay: writes a unit, enables and starts it")
    .option("--no-start", "write the unit only")
    .option("--dry-run", "print the unit only")
    .option("--json", "print one line of JSON: relay, unitFile, started")
    .addHelpText(
      "after",
      `
Examples:
  sudo cmdop relay install --owner PUB --public-address relay.example:7443
  cmdop relay install --user --port 7443
  cmdop relay install --owner PUB --dry-run

The relay's keys and its store are in CMDOP_HOME (default ~/.cmdop), in relay. It can be given again,
with other options or for another version: the relay is started anew, and links come back by themselves.`,
    )
    .action(async (options: InstallCommandOptions) => {
      refuseBefore(relay);
      if (options.port === 0) {
        throw usageError("a service needs a port that stays.", "Say --port with another number than 0.");
      }
      const scope = unitScope(options);
      const [
        { homePaths },
        { ownCommand },
        { systemdManager },
        { relayUnitText, RELAY_UNIT },
        { relayOwner },
      ] = await Promise.all([
        import("../home/home.ts"),
        import("../own-command.ts"),
        import("../service/manager.ts"),
        import("./unit.ts"),
        import("./relay-options.ts"),
      ]);
      const home = homePaths.home();
      const own = ownCommand();
      const words = relayWords({ ...options, owner: await relayOwner(options.owner) });
      const text = relayUnitText({ scope, ...own, command: words, home });
      if (scope === "system") await warnOfOthers([own.program, own.main, home]);
      if (options.dryRun) {
        process.stdout.write(text);
        return;
      }
      const manager = systemdManager(scope, RELAY_UNIT);
      const { unitFile } = manager;
      if (options.start && manager.isRunning) {
        const [{ startUnit }, { readyText }] = await Promise.all([
          import("./start-unit.ts"),
          import("./ready.ts"),
        ]);
        const { id, address } = await startUnit(manager, text, options);
        const relay = `${id}@${address}`;
        const look = `Its state: ${systemctlWords(scope)} status ${RELAY_UNIT}\n`;
        process.stdout.write(
          options.json
            ? jsonLine({ relay, unitFile, started: true })
            : `wrote ${unitFile}\n${readyText(relay)}\n${look}${lingerText(scope)}`,
        );
        return;
      }
      const { installUnit } = await import("../service/install.ts");
      await installUnit(manager, text, false);
      process.stdout.write(
        options.json
          ? jsonLine({ relay: null, unitFile, started: false })
          : `wrote ${unitFile}\n${howToStart(scope, manager)}${lingerText(scope)}`,
      );
    });
}

/** Options in front of `install` would be the running relay's, and be lost here. */
function refuseBefore(relay: Command): void {
  const given = relay.options.filter(
    (option) => relay.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (given.length === 0) return;
  const names = given.map(({ long }) => long).join(", ");
  throw usageError(
    `${names} stands before install.`,
    "Write options behind it: cmdop relay install --port 443.",
  );
}

/** The command line of the relay with these options; files by their whole paths. */
function relayWords(options: RelayCommandOptions): string[] {
  const { owner, host, port, publicAddress, healthPort, metrics, proxyProtocol, log, logLevel } = options;
  const file = (name: string | undefined): string | undefined =>
    name === undefined ? undefined : path.resolve(name);
  const named: readonly (readonly [string, string | number | undefined])[] = [
    ["--owner", owner],
    ["--host", host],
    ["--port", port],
    ["--public-address", publicAddress],
    ["--health-port", healthPort],
    ["--metrics", metrics],
    ["--cert", file(options.cert)],
    ["--key", file(options.key)],
    ["--archives", file(options.archives)],
    ["--log", log],
    ["--log-level", logLevel],
  ];
  const words = named.flatMap(([option, value]) => (value === undefined ? [] : [option, String(value)]));
  const balancers = proxyProtocol === undefined ? [] : ["--proxy-protocol", ...proxyProtocol];
  return ["relay", ...words, ...balancers];
}
