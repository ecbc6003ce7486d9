import type { Command } from "commander";
import { parsePort } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";
import { leavePassphraseBehind } from "../passphrase/start-over.ts";
import { startUnderInit } from "./init-process.ts";
import { registerAgentInstall } from "./install-command.ts";
import { registerAgentUninstall } from "./uninstall.ts";

interface AgentCommandOptions {
  join?: string;
  metrics?: number;
  log?: string;
  logLevel?: string;
  json?: boolean;
}

export function registerAgent(program: Command): void {
  const agent = program
    .command("agent")
    .description("run the agent: makes this machine reachable through the relay; or install it")
    .enablePositionalOptions()
    .option("--join <file>", "join with the token in this file, the first time; - reads standard input")
    .option("--metrics <port>", "loopback port of /metrics, for Prometheus; off unless given", parsePort)
    .option("--log <format>", "text or json, on stderr; text unless given (or CMDOP_LOG=json)")
    .option("--log-level <level>", "debug, info, warn or error; info unless given (or CMDOP_LOG=warn)")
    .option("--json", "print one line of JSON when the relay has welcomed this machine")
    .addHelpText(
      "after",
      `
Examples:
  cmdop agent --join -             # paste the token that cmdop join-token printed
  cmdop agent
  cmdop agent install --join -     # joins, then starts it with the machine

The token can also be in CMDOP_JOIN_TOKEN. On the command line it could be read by every user of
this machine, so it is not taken from there.`,
    )
    .action(async (options: AgentCommandOptions) => {
      leavePassphraseBehind();
      startUnderInit();
      const [
        { Agent },
        { homePaths },
        { joinToken },
        { logSettings, stderrLog },
        { aborted, terminationSignal },
        { VERSION },
      ] = await Promise.all([
        import("@cmdop/agent"),
        import("../home/home.ts"),
        import("./join-input.ts"),
        import("../console/log.ts"),
        import("../console/signals.ts"),
        import("../version.ts"),
      ]);
      const stop = terminationSignal(undefined, { outlivesTerminal: true });
      const running = new Agent({
        home: homePaths.home(),
        joinToken: await joinToken(options.join),
        relayAddress: process.env.CMDOP_RELAY,
        version: VERSION,
        metricsPort: options.metrics,
        log: stderrLog(logSettings(options)),
      });
      await running.start();
      try {
        const linked = running.linked().then(() => {
          const { id, name } = running.identity;
          process.stdout.write(
            options.json
              ? jsonLine({ machine: { id, name }, metricsPort: running.metricsPort })
              : `machine ${name} is online\n`,
          );
        });
        // Not to be reached yet is a wait; to be refused is an end.
        await Promise.race([linked.then(() => aborted(stop)), aborted(stop)]);
      } finally {
        await running.shutdown();
      }
    });
  registerAgentInstall(agent);
  registerAgentUninstall(agent);
}
