import path from "node:path";
import {
  formatApiKey,
  formatSealedKey,
  generateKeyPair,
  type KeyPair,
  MAX_SEALED_KEY_BYTES,
  type PublicKey,
  parseSealedKey,
  type RelayTarget,
  readPrivateFile,
  type SealedOwnerKey,
  sealOwnerKey,
} from "@cmdop/proto";
import { CMDOPClient, CmdopError, type OnSigned } from "@cmdop/sdk";
import { note } from "../console/output.ts";
import { homePaths, makeHomeDirectory, writeHomeFile } from "../home/home.ts";
import { Passphrase } from "../passphrase/passphrase.ts";
import { OwnerLedger } from "./ledger.ts";
import { showRecoveryKey } from "./recovery-key.ts";
import { ownersRelay, rememberFirst } from "./relay.ts";

/** The opened owner's key, which may grant. No profile and no MCP server ever loads it. */
export interface Owner {
  readonly key: KeyPair;
  /** Public keys in the first roster: the owner's, and the recovery owner's if there is one. */
  readonly publicKeys: readonly PublicKey[];
}

/** Options of an owner's command: `--relay` and `--passphrase-fd`. */
export interface OwnerOptions {
  readonly relay?: string | undefined;
  readonly passphraseFd?: number | undefined;
}

/** Returns the path of the owner's key. */
export const ownerFile = (): string => path.join(homePaths.owner(), "owner.key");
/**
 * Returns the path of the new owner's key, from before the relay hears of it until it has replaced the old
 * one.
 */
export const newOwnerFile = (): string => path.join(homePaths.owner(), "owner.key.new");

/** Reads a sealed key; undefined if there is none. */
export async function readSealedFile(file: string): Promise<SealedOwnerKey | undefined> {
  const text = readPrivateFile(file, { maxBytes: MAX_SEALED_KEY_BYTES });
  return text === undefined ? undefined : parseSealedKey(text, file);
}

/** Writes a sealed key to its own file. */
export async function writeSealedFile(file: string, sealed: SealedOwnerKey): Promise<void> {
  await writeHomeFile(file, formatSealedKey(sealed));
}

/** Returns the owner of this home without the private half; undefined before `cmdop init`. */
export function readOwner(): Promise<SealedOwnerKey | undefined> {
  return readSealedFile(ownerFile());
}

/** Returns the owner of this home, or throws an error that says how to make one. */
export async function requireOwner(): Promise<SealedOwnerKey> {
  const owner = await readOwner();
  if (owner !== undefined) return owner;
  throw new CmdopError("Unauthenticated", `There is no owner key in ${homePaths.owner()}.`, {
    next: "Run cmdop init first, or set CMDOP_HOME to the home where the owner key is.",
  });
}

/** Opens the owner's key of this home. */
export async function openOwner(passphrase: Passphrase): Promise<Owner> {
  const sealed = await requireOwner();
  return ownerOf(await passphrase.open(sealed, ownerFile()), sealed.recovery);
}

/** Makes the owner key, which is kept sealed, and the recovery owner's key, which is shown and not kept. */
export async function createOwner(passphrase: Passphrase): Promise<Owner> {
  // The directory comes first, so that nothing is shown if nothing can be written.
  await makeHomeDirectory(homePaths.owner());
  const key = generateKeyPair();
  const recovery = generateKeyPair();
  const words = await passphrase.forNewKey();
  showRecoveryKey(recovery);
  const sealed = await sealOwnerKey(key, { passphrase: words, recovery: recovery.publicKey });
  await writeSealedFile(ownerFile(), sealed);
  return ownerOf(key, recovery.publicKey);
}

/**
 * Makes a client that acts as the owner, on the named relay or the one named last. Makes sure that the relay
 * has a roster.
 */
export async function ownerClient(options: OwnerOptions): Promise<CMDOPClient> {
  await requireOwner();
  // Missing settings are reported before a passphrase is asked for.
  const relay = await ownersRelay(options.relay);
  const owner = await openOwner(new Passphrase(options.passphraseFd));
  const client = await clientOf(owner, relay);
  await rememberFirst(relay);
  return client;
}

/**
 * Makes a client that acts as this home's owner. It keeps the statements that it signs. It first teaches a
 * relay that has lost its roster, because a new roster would have a lower number than those that machines
 * hold.
 */
export async function clientOf(owner: Owner, relay: RelayTarget): Promise<CMDOPClient> {
  const ledger = await OwnerLedger.open(relay.id);
  const client = clientAs(owner.key, relay, (signed) => ledger.keep([signed]));
  try {
    const taught = await ledger.teach(client);
    if (taught.roster) {
      note(`note: this relay had lost its roster and got it back; ${taught.grants.length} of its keys too`);
    }
    await client.roster.ensure(owner.publicKeys);
    await ledger.learnRosters(client);
    return client;
  } catch (thrown) {
    await client.close();
    throw await afterRotation(thrown);
  }
}

/** Makes a client that acts with an owner's key. `onSigned`: called with the statements that it signs. */
export function clientAs(key: KeyPair, relay: RelayTarget, onSigned?: OnSigned): CMDOPClient {
  return CMDOPClient.remote({ apiKey: formatApiKey({ key, relay }), relay: relay.address, onSigned });
}

function ownerOf(key: KeyPair, recovery: PublicKey | undefined): Owner {
  return { key, publicKeys: recovery === undefined ? [key.publicKey] : [key.publicKey, recovery] };
}

/**
 * Adds advice to an error: a relay that does not know the owner may have completed a rotation whose last step
 * here is missing.
 */
async function afterRotation(thrown: unknown): Promise<unknown> {
  const { code, message } = CmdopError.from(thrown);
  if (code !== "KeyUnknown" || (await readSealedFile(newOwnerFile())) === undefined) return thrown;
  return new CmdopError(code, message, {
    cause: thrown,
    next: "A rotation of the owner was interrupted here: run cmdop owner rotate again, it continues where it stopped.",
  });
}
