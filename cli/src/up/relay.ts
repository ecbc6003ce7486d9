import type { Log } from "@cmdop/agent";
import type { PublicKey, RelayTarget } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { logSettings, stderrLog } from "../console/log.ts";
import { homePaths } from "../home/home.ts";
import { ownRelease } from "../relay/own-release.ts";
import type { UpOptions } from "./bring-up.ts";

/** The relay that `cmdop up` uses: this home's own, which runs until the shutdown, or one elsewhere. */
export interface UpRelay {
  readonly target: RelayTarget;
  shutdown(): Promise<void>;
}

/** Starts this home's own relay, unless it belongs to one elsewhere. */
export async function startUpRelay(
  options: UpOptions,
  owner: PublicKey,
  elsewhere: RelayTarget | undefined,
): Promise<UpRelay> {
  if (elsewhere !== undefined) return { target: elsewhere, shutdown: async () => undefined };
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
  return { target: { id: relay.id, address: relay.address }, shutdown: () => relay.shutdown() };
}

/** The log of `cmdop up`: warnings, unless a log was asked for. */
export function upLog(options: UpOptions): Log {
  return stderrLog(logSettings(options, options.log === undefined ? "warn" : "info"));
}
