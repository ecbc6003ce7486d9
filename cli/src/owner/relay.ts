import path from "node:path";
import { type RelayTarget, readPrivateFile } from "@cmdop/proto";
import { CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { homePaths, writeHomeFile } from "../home/home.ts";

const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** The relay that is named as ID@HOST:PORT, else the one that was named last. */
export async function ownersRelay(named: string | undefined): Promise<RelayTarget> {
  const text = named ?? (await rememberedRelay());
  if (text !== undefined) return parseRelayTarget(text);
  throw new CmdopError("InvalidArgument", "It is not known which relay this is for.", {
    next: "Say --relay ID@HOST:PORT once, as cmdop relay printed it; it is remembered.",
  });
}

/** The relay that was named last, as ID@HOST:PORT; undefined before the first. */
export async function rememberedRelay(): Promise<string | undefined> {
  return readPrivateFile(relayFile())?.trim();
}

/** The relay that the owner's commands use when they are told none. */
export async function rememberRelay({ id, address }: RelayTarget): Promise<void> {
  await writeHomeFile(relayFile(), `${id}@${address}\n`);
}
