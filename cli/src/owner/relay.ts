import path from "node:path";
import { type RelayTarget, readPrivateFile } from "@cmdop/proto";
import { CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { homePaths, writeHomeFile } from "../home/home.ts";

const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** Returns the relay named as ID@HOST:PORT, else the one named last. */
export async function ownersRelay(named: string | undefined): Promise<RelayTarget> {
  const text = named ?? (await rememberedRelay());
  if (text !== undefined) return parseRelayTarget(text);
  throw new CmdopError("InvalidArgument", "The relay for this command is not known.", {
    next: "Use --relay ID@HOST:PORT once, as cmdop relay printed it; it is remembered.",
  });
}

/** Returns the relay named last, as ID@HOST:PORT; undefined before the first. */
export async function rememberedRelay(): Promise<string | undefined> {
  return readPrivateFile(relayFile())?.trim();
}

/** Stores the relay as the default of the owner's commands. */
export async function rememberRelay({ id, address }: RelayTarget): Promise<void> {
  await writeHomeFile(relayFile(), `${id}@${address}\n`);
}
