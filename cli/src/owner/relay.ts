import path from "node:path";
import { type RelayTarget, readPrivateFile } from "@cmdop/proto";
import { CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { note } from "../console/output.ts";
import { homePaths, writeHomeFile } from "../home/home.ts";

const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** Returns the relay named as ID@HOST:PORT for one command, else this home's. */
export async function ownersRelay(named: string | undefined): Promise<RelayTarget> {
  const text = named ?? (await rememberedRelay());
  if (text !== undefined) return parseRelayTarget(text);
  throw new CmdopError("InvalidArgument", "The relay for this command is not known.", {
    next: "Use --relay ID@HOST:PORT once, as cmdop relay printed it; it is remembered.",
  });
}

/** Returns this home's relay, as ID@HOST:PORT; undefined before the first. */
export async function rememberedRelay(): Promise<string | undefined> {
  return readPrivateFile(relayFile())?.trim();
}

/** Makes a relay this home's: the one of its commands, and of cmdop up. */
export async function rememberRelay({ id, address }: RelayTarget): Promise<void> {
  await writeHomeFile(relayFile(), `${id}@${address}\n`);
}

/**
 * Makes a relay that a command has named this home's, if it has none yet, or if it is the same one at a new
 * address. Another one was meant for that command alone: a home has one relay, else half of its commands
 * would show other machines than the other half.
 */
export async function rememberFirst(relay: RelayTarget): Promise<void> {
  const other = await rememberUnlessOther(relay);
  if (other === undefined) return;
  note(`this home's relay stays ${other}; cmdop owner relay ${relay.id}@${relay.address} changes that`);
}

/** Makes a relay this home's, unless it has another one, which is returned then. */
export async function rememberUnlessOther(relay: RelayTarget): Promise<string | undefined> {
  const known = await rememberedRelay();
  if (known !== undefined && parseRelayTarget(known).id !== relay.id) return known;
  await rememberRelay(relay);
  return undefined;
}
