import path from "node:path";
import {
  addressSchema,
  ED25519_BYTES,
  formatApiKey,
  generateKeyPair,
  type KeyPair,
  keyPairOf,
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

const ownerFile = (): string => path.join(homePaths.owner(), "owner.key");
const recoveryFile = (): string => path.join(homePaths.owner(), "recovery.key");
const recoveryPublicFile = (): string => path.join(homePaths.owner(), "recovery.pub");
const relayFile = (): string => path.join(homePaths.owner(), "relay");

/** The owner of this home; undefined before `cmdop init`. */
export async function loadOwner(): Promise<Owner | undefined> {
  const stored = await readSecretFile(ownerFile());
  if (stored === undefined) return undefined;
  const seed = Buffer.from(stored.trim(), "base64url");
  if (seed.length !== ED25519_BYTES) {
    throw new CmdopError("InvalidArgument", `${ownerFile()} does not hold an owner key: it is damaged.`, {
      next: "Restore it from a backup; the recovery owner can name a new owner.",
    });
  }
  const key = keyPairOf(seed);
  const recovery = await readSecretFile(recoveryPublicFile());
  return { key, publicKeys: recovery === undefined ? [key.publicKey] : [key.publicKey, recovery.trim()] };
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
  await writeSecretFile(recoveryFile(), `${Buffer.from(recovery.seed).toString("base64url")}\n`);
  await writeSecretFile(recoveryPublicFile(), `${recovery.publicKey}\n`);
  await writeSecretFile(ownerFile(), `${Buffer.from(key.seed).toString("base64url")}\n`);
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
  const text = named ?? (await readSecretFile(relayFile()))?.trim();
  if (text === undefined) {
    throw new CmdopError("InvalidArgument", "It is not known which relay this is for.", {
      next: "Say --relay ID@HOST:PORT once, as cmdop relay printed it; it is remembered.",
    });
  }
  const relay = parseRelay(text);
  const client = CMDOPClient.remote({
    apiKey: formatApiKey({ key: owner.key, relay }),
    relay: relay.address,
  });
  try {
    await client.roster.ensure(owner.publicKeys);
  } catch (thrown) {
    await client.close();
    throw thrown;
  }
  await rememberRelay(relay);
  return client;
}

/** The relay that the owner's commands use when they are told none. */
export async function rememberRelay({ id, address }: RelayTarget): Promise<void> {
  await writeSecretFile(relayFile(), `${id}@${address}\n`);
}
