import { X509Certificate } from "node:crypto";
import path from "node:path";
import { machineState } from "@cmdop/agent";
import { type RelayTarget, readPrivateFile, relayIdOf } from "@cmdop/proto";
import { CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { rememberedRelay } from "../owner/relay.ts";
import { homePaths } from "./home.ts";

/** The id of the relay that `cmdop up` runs in this home; undefined before the first. */
export function ownRelayId(): string | undefined {
  const file = path.join(homePaths.relay(), "ca.pem");
  const pem = readPrivateFile(file);
  if (pem === undefined) return undefined;
  try {
    return relayIdOf(new X509Certificate(pem));
  } catch (cause) {
    throw new CmdopError("InvalidArgument", `${file}, the relay's identity, is damaged.`, {
      cause,
      next: "Restore it from a backup: docs/backup.md.",
    });
  }
}

/**
 * The relay elsewhere that this home's machine belongs to: the named one, else the one that it has joined,
 * else the one that the owner's commands use. Undefined where it is this home's own, or there is none yet.
 */
export async function relayElsewhere(named: string | undefined): Promise<RelayTarget | undefined> {
  const target = named === undefined ? await relayHere() : parseRelayTarget(named);
  return target === undefined || target.id === ownRelayId() ? undefined : target;
}

async function relayHere(): Promise<RelayTarget | undefined> {
  const { relay } = await machineState(homePaths.home());
  const remembered = await rememberedRelay();
  const known = remembered === undefined ? undefined : parseRelayTarget(remembered);
  // The same relay may have moved since the machine joined.
  return relay === undefined || relay.id === known?.id ? known : relay;
}
