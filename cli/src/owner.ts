import path from "node:path";
import {
  addressSchema,
  ED25519_BYTES,
  formatApiKey,
  generateKeyPair,
  type KeyPair,
  keyPairOf,
  type PublicKey,
  type RelayTarget,
  relayIdSchema,
} from "@cmdop/proto";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths, readSecretFile, writeSecretFile } from "./home.ts";

/** The owner's keys: who may grant. No profile and no MCP server ever loads them. */
export interface Owner {
  readonly key: KeyPair;
  /** Public keys that the first roster names: the owner's, and the recovery owner's where this home has made it. */
  readonly publicKeys: readonly string[];
}

/** The file with the owner's key. */
export const ownerFile = (): string => path.join(homePaths.owner(), "owner.key");
/** The new owner's key, from before the relay hears of it until it has taken the old one's place. */
export const newOwnerFile = (): string => path.join(homePaths.owner(), "owner.key.new");
const recoveryFile = (): string => path.join(homePaths.owner(), "recovery.key");
const recoveryPublicFile = (): string => path.join(homePaths.owner(), "recovery.pub");
const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** The owner of this home; undefined before `cmdop init`. */
export async function loadOwner(): Promise<Owner | undefined> {
  const key = await readSeedFile(ownerFile());
  if (key === undefined) return undefined;
  const recovery = await recoveryPublicKey();
  return { key, publicKeys: recovery === undefined ? [key.publicKey] : [key.publicKey, recovery] };
}

/** The recovery owner's public key, where this home knows it. */
export async function recoveryPublicKey(): Promise<PublicKey | undefined> {
  return (await readSecretFile(recoveryPublicFile()))?.trim();
}

/** Remembers the recovery owner's public key. */
export async function rememberRecovery(publicKey: PublicKey): Promise<void> {
  await writeSecretFile(recoveryPublicFile(), `${publicKey}\n`);
}

/** Reads an owner's key from its file; undefined where there is none. The error never repeats what is in it. */
export async function readSeedFile(file: string): Promise<KeyPair | undefined> {
  const stored = await readSecretFile(file);
  if (stored === undefined) return undefined;
  const seed = Buffer.from(stored.trim(), "base64url");
  if (seed.length === ED25519_BYTES) return keyPairOf(seed);
  throw new CmdopError("InvalidArgument", `${file} does not hold an owner key: it is damaged.`, {
    next: "Restore it from a backup; the recovery owner can name a new owner: cmdop owner recover.",
  });
}

/** Writes an owner's key to a file of its own. */
export async function writeSeedFile(file: string, key: KeyPair): Promise<void> {
  await writeSecretFile(file, `${Buffer.from(key.seed).toString("base64url")}\n`);
}

/** The owner of this home, or an error that says how to make one. */
export async function requireOwner(): Promise<Owner> {
  const owner = await loadOwner();
  if (owner !== undefined) return owner;
  throw new CmdopError("Unauthenticated", `There is no owner key in ${homePaths.owner()}.`, {
    next: "Run cmdop init first, or set CMDOP_HOME to the home where the owner key is.",
  });
}

/** Makes the owner key and the recovery owner. */
export async function createOwner(): Promise<Owner & { readonly recoveryFile: string }> {
  const key = generateKeyPair();
  const recovery = generateKeyPair();
  await writeSeedFile(recoveryFile(), recovery);
  await rememberRecovery(recovery.publicKey);
  await writeSeedFile(ownerFile(), key);
  return { key, publicKeys: [key.publicKey, recovery.publicKey], recoveryFile: recoveryFile() };
}

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

/**
 * A client that acts as the owner, on the relay that is named or was named
 * last. Makes sure that the relay has a roster.
 */
export async function ownerClient(named: string | undefined): Promise<CMDOPClient> {
  const owner = await requireOwner();
  const relay = await ownersRelay(named);
  const client = CMDOPClient.remote({
    apiKey: formatApiKey({ key: owner.key, relay }),
    relay: relay.address,
  });
  try {
    await client.roster.ensure(owner.publicKeys);
  } catch (thrown) {
    await client.close();
    throw await afterRotation(thrown);
  }
  await rememberRelay(relay);
  return client;
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

/** A relay that does not know the owner may have taken a rotation that ended before its last step here. */
async function afterRotation(thrown: unknown): Promise<unknown> {
  const { code, message } = CmdopError.from(thrown);
  if (code !== "KeyUnknown" || (await readSeedFile(newOwnerFile())) === undefined) return thrown;
  return new CmdopError(code, message, {
    cause: thrown,
    next: "A rotation of the owner was interrupted here: run cmdop owner rotate again, it goes on where it was.",
  });
}
