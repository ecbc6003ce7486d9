import path from "node:path";
import { addressSchema, type RelayTarget, relayIdSchema } from "@cmdop/proto";
import { CmdopError } from "@cmdop/sdk";
import { homePaths, readSecretFile, writeSecretFile } from "./home.ts";

const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** Reads `ID@HOST:PORT`, as `cmdop relay` prints it. */
export function parseRelay(text: string): RelayTarget {
  const at = text.indexOf("@");
  const id = relayIdSchema.safeParse(text.slice(0, at));
  const address = addressSchema.safeParse(text.slice(at + 1));
  if (at > 0 && id.success && address.success) return { id: id.data, address: address.data };
  throw new CmdopError("InvalidArgument", `${JSON.stringify(text)} does not name a relay.`, {
    next: "Give it as ID@HOST:PORT; cmdop relay prints it when it starts.",
  });
}

/** The relay that is named as ID@HOST:PORT, else the one that was named last. */
export async function ownersRelay(named: string | undefined): Promise<RelayTarget> {
  const text = named ?? (await rememberedRelay());
  if (text !== undefined) return parseRelay(text);
  throw new CmdopError("InvalidArgument", "It is not known which relay this is for.", {
    next: "Say --relay ID@HOST:PORT once, as cmdop relay printed it; it is remembered.",
  });
}

/** The relay that was named last, as ID@HOST:PORT; undefined before the first. */
export async function rememberedRelay(): Promise<string | undefined> {
  return (await readSecretFile(relayFile()))?.trim();
}

/** The relay that the owner's commands use when they are told none. */
export async function rememberRelay({ id, address }: RelayTarget): Promise<void> {
  await writeSecretFile(relayFile(), `${id}@${address}\n`);
}
