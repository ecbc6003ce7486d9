import type { Log } from "@cmdop/agent";
import type { PublicKey } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { logSettings, stderrLog } from "../console/log.ts";
import { homePaths } from "../home/home.ts";
import { ownRelease } from "../relay/own-release.ts";
import type { UpOptions } from "./bring-up.ts";

/** The relay of `cmdop up`, listening. */
export async function startUpRelay(options: UpOptions, owner: PublicKey): Promise<Relay> {
  const { host, port } = options;
  const relay = new Relay({
    stateDir: homePaths.relay(),
    ownerPublicKey: owner,
    host,
    port,
    archivesDir: ownRelease(),
    log: upLog(options),
  });
  await relay.listen();
  return relay;
}

/** The log of `cmdop up`: warnings, unless a log was asked for. */
export function upLog(options: UpOptions): Log {
  return stderrLog(logSettings(options, options.log === undefined ? "warn" : "info"));
}
