import type { PublicKey } from "@cmdop/proto";
import type { Log, RelayOptions } from "@cmdop/relay";
import { usageError } from "../console/exit.ts";
import { homePaths } from "../home/home.ts";
import { readOwner } from "../owner/owner.ts";
import { ownRelease } from "./own-release.ts";
import type { RelayCommandOptions } from "./relay.ts";

/** What a relay is made with, from the options of its command. */
export async function relayOptions(options: RelayCommandOptions, log: Log): Promise<RelayOptions> {
  return {
    stateDir: homePaths.relay(),
    ownerPublicKey: await relayOwner(options.owner),
    host: options.host,
    port: options.port,
    publicAddress: options.publicAddress,
    healthPort: options.healthPort,
    metricsPort: options.metrics,
    proxyProtocol: options.proxyProtocol,
    certFile: options.cert,
    keyFile: options.key,
    archivesDir: options.archives ?? ownRelease(),
    log,
  };
}

/** The owner of a relay that is started here: the one that was named, else this home's. */
export async function relayOwner(named: string | undefined): Promise<PublicKey> {
  const owner = named ?? (await readOwner())?.owner;
  if (owner !== undefined) return owner;
  throw usageError(
    "a relay needs an owner, and this home has none.",
    "Say --owner PUB, as cmdop init printed it where the owner key is.",
  );
}
