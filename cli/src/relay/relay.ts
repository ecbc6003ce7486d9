import type { Command } from "commander";
import { parsePort } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";
import { leavePassphraseBehind } from "../passphrase/start-over.ts";
import { DEFAULT_RELAY_PORT } from "./default-port.ts";
import { registerRelayInstall } from "./install-command.ts";
import { registerRelayUninstall } from "./uninstall.ts";

/** Options of a relay, as `cmdop relay` and `cmdop relay install` take them. */
export interface RelayCommandOptions {
  owner?: string;
  host: string;
  port: number;
  publicAddress?: string;
  healthPort?: number;
  metrics?: number;
  cert?: string;
  key?: string;
  archives?: string;
  proxyProtocol?: string[];
  log?: string;
  logLevel?: string;
  json?: boolean;
}

/** Adds the options that say what the relay is. */
export function addRelayOptions(command: Command): Command {
  return command
    .option("--owner <pub>", "the owner's public key, as cmdop init printed it; this home's unless given")
    .option("--host <address>", "address to listen on", "0.0.0.0")
    .option("--port <port>", "port to listen on; 0 lets the system choose", parsePort, DEFAULT_RELAY_PORT)
    .option(
      "--public-address <host:port>",
      "how agents and callers reach it, where that is not host and port",
    )
    .option("--health-port <port>", "loopback port of /healthz; off unless given", parsePort)
    .option("--metrics <port>", "loopback port of /metrics, for Prometheus; off unless given", parsePort)
    .option("--cert <file>", "public certificate chain (PEM); without it the relay makes its own CA")
    .option("--key <file>", "private key of --cert (PEM)")
    .option(
      "--archives <dir>",
      "serve this release (npm run release) to machines that have no cmdop yet; unless given, that of an installed cmdop",
    )
    .option(
      "--proxy-protocol <cidr...>",
      "load balancers that pass TLS on and speak the PROXY protocol (v1 or v2), by address or CIDR block",
    )
    .option("--log <format>", "text or json, on stderr; text unless given (or CMDOP_LOG=json)")
    .option("--log-level <level>", "debug, info, warn or error; info unless given (or CMDOP_LOG=warn)");
}

export function registerRelay(program: Command): void {
  const relay = addRelayOptions(program.command("relay"))
    .enablePositionalOptions()
    .description("run a relay: the meeting point of agents and callers; or install it")
    .option("--json", "print one line of JSON when ready")
    .addHelpText(
      "after",
      `
Examples:
  cmdop relay --owner PUB                            # until Ctrl-C
  sudo cmdop relay install --owner PUB --public-address relay.example:7443`,
    )
    .action(async (options: RelayCommandOptions) => {
      leavePassphraseBehind();
      const [
        { Relay },
        { logSettings, stderrLog },
        { aborted, terminationSignal },
        { relayOptions },
        { outwardAddress, readyText },
      ] = await Promise.all([
        import("@cmdop/relay"),
        import("../console/log.ts"),
        import("../console/signals.ts"),
        import("./relay-options.ts"),
        import("./ready.ts"),
      ]);
      const stop = terminationSignal(undefined, { outlivesTerminal: true });
      const running = new Relay(await relayOptions(options, stderrLog(logSettings(options))));
      await running.listen();
      try {
        const address = outwardAddress(running.address);
        const target = `${running.id}@${address}`;
        const ready = {
          relay: address,
          id: running.id,
          target,
          healthPort: running.healthPort,
          metricsPort: running.metricsPort,
        };
        process.stdout.write(options.json ? jsonLine(ready) : readyText(target));
        await aborted(stop);
      } finally {
        await running.shutdown();
      }
    });
  registerRelayInstall(relay);
  registerRelayUninstall(relay);
}
