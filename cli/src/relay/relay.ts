import os from "node:os";
import type { Command } from "commander";
import { parsePort } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";
import { leavePassphraseBehind } from "../passphrase/start-over.ts";
import { DEFAULT_RELAY_PORT } from "./default-port.ts";

interface RelayCommandOptions {
  owner: string;
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

export function registerRelay(program: Command): void {
  program
    .command("relay")
    .description("run a relay: the meeting point of agents and callers")
    .requiredOption("--owner <pub>", "the owner's public key, as cmdop init printed it")
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
    .option("--log-level <level>", "debug, info, warn or error; info unless given (or CMDOP_LOG=warn)")
    .option("--json", "print one line of JSON when ready")
    .action(async (options: RelayCommandOptions) => {
      leavePassphraseBehind();
      const [
        { Relay },
        { splitAddress },
        { homePaths },
        { logSettings, stderrLog },
        { aborted, terminationSignal },
        { ownRelease },
      ] = await Promise.all([
        import("@cmdop/relay"),
        import("@cmdop/proto"),
        import("../home/home.ts"),
        import("../console/log.ts"),
        import("../console/signals.ts"),
        import("./own-release.ts"),
      ]);
      const stop = terminationSignal(undefined, { outlivesTerminal: true });
      const relay = new Relay({
        stateDir: homePaths.relay(),
        ownerPublicKey: options.owner,
        host: options.host,
        port: options.port,
        publicAddress: options.publicAddress,
        healthPort: options.healthPort,
        metricsPort: options.metrics,
        proxyProtocol: options.proxyProtocol,
        certFile: options.cert,
        keyFile: options.key,
        archivesDir: options.archives ?? ownRelease(),
        log: stderrLog(logSettings(options)),
      });
      await relay.listen();
      try {
        const { host } = splitAddress(relay.address);
        const isEverywhere = host === "0.0.0.0" || host === "::";
        const address = isEverywhere ? `${outwardAddress()}:${relay.port}` : relay.address;
        const target = `${relay.id}@${address}`;
        const ready = {
          relay: address,
          id: relay.id,
          target,
          healthPort: relay.healthPort,
          metricsPort: relay.metricsPort,
        };
        process.stdout.write(
          options.json
            ? jsonLine(ready)
            : `relay ${target}\n\nNext, where the owner key is:\n  cmdop join-token NAME --relay ${target}\n`,
        );
        await aborted(stop);
      } finally {
        await relay.shutdown();
      }
    });
}

/**
 * An address that others can dial, for a relay that listens on every interface: the first
 * that is neither loopback nor of its own link, IPv4 before IPv6.
 */
function outwardAddress(): string {
  const outward = Object.values(os.networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid);
  const ipv4 = outward.find(({ family }) => family === "IPv4");
  if (ipv4 !== undefined) return ipv4.address;
  const [ipv6] = outward;
  return ipv6 === undefined ? "127.0.0.1" : `[${ipv6.address}]`;
}
