import { link, rename, rm } from "node:fs/promises";
import path from "node:path";
import { isErrno } from "@cmdop/kit";
import {
  CmdopError,
  generateKeyPair,
  type KeyPair,
  type PublicKey,
  type RelayTarget,
  sealOwnerKey,
} from "@cmdop/proto";
import type { OwnerRotation, RosterInfo } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import type { Passphrase } from "../passphrase/passphrase.ts";
import { OwnerLedger } from "./ledger.ts";
import { clientAs, newOwnerFile, ownerFile, readSealedFile, writeSealedFile } from "./owner.ts";

/** Returns the path of the old owner's key while the new one replaces it. */
const oldOwnerFile = (): string => path.join(homePaths.owner(), "owner.key.old");

/** Options of a rotation. */
export interface HandOver {
  readonly relay: RelayTarget;
  /** The owner that signs it: the one to remove, or the recovery owner. */
  readonly signer: KeyPair;
  /** The public key of the owner to remove. */
  readonly remove: PublicKey;
  /** The recovery owner's public key, if known. It is trusted, and stored in the new key's file. */
  readonly recovery: PublicKey | undefined;
  /** The passphrase for sealing the new key. */
  readonly passphrase: Passphrase;
}

/**
 * Makes a new owner key and replaces the old one. A crash does no harm: the new key is on disk before the
 * relay hears of it, and the old one until the relay has taken the roster without it. Run again, it continues
 * with the new key that it had made.
 */
export async function handOver(order: HandOver): Promise<{ key: KeyPair; resigned: readonly string[] }> {
  const { passphrase } = order;
  const begun = await readSealedFile(newOwnerFile());
  const key = begun === undefined ? await makeNewOwner(order) : await passphrase.open(begun, newOwnerFile());
  const isDone = begun !== undefined && (await isOwnerAlone(order, key));
  const { resigned } = isDone ? { resigned: [] } : await rotate(order, key);
  await takePlace();
  return { key, resigned };
}

async function makeNewOwner({ passphrase, recovery }: HandOver): Promise<KeyPair> {
  const key = generateKeyPair();
  const sealed = await sealOwnerKey(key, { passphrase: await passphrase.forNewKey(), recovery });
  await writeSealedFile(newOwnerFile(), sealed);
  return key;
}

async function rotate({ relay, signer, remove, recovery }: HandOver, key: KeyPair): Promise<OwnerRotation> {
  const ledger = await OwnerLedger.open(relay.id);
  await using client = clientAs(signer, relay);
  await ledger.teach(client);
  await client.roster.ensure([signer.publicKey, remove, ...(recovery === undefined ? [] : [recovery])]);
  const rotated = await client.roster.rotateOwner({ newOwner: key.publicKey, remove, resignWith: key });
  // The ledger takes the hand-over and the grants that were signed again. The new owner reads them, because
  // the signer may no longer be one.
  await using asNew = clientAs(key, relay);
  await ledger.learn(asNew);
  return rotated;
}

/** Returns true if an earlier attempt reached the relay: it names the new owner and no longer the old one. */
async function isOwnerAlone({ relay, remove }: HandOver, key: KeyPair): Promise<boolean> {
  await using client = clientAs(key, relay);
  let roster: RosterInfo;
  try {
    roster = await client.roster.get();
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    // The relay does not know the new owner yet.
    if (code === "KeyUnknown" || code === "Unauthenticated") return false;
    throw thrown;
  }
  return roster.owners.includes(key.publicKey) && !roster.owners.includes(remove);
}

/**
 * Replaces the key file. There is an owner.key at every moment: the old one gets a second name before the new
 * one takes its name.
 */
async function takePlace(): Promise<void> {
  await rm(oldOwnerFile(), { force: true });
  try {
    await link(ownerFile(), oldOwnerFile());
  } catch (thrown) {
    // This is a recovery in a home that had no owner.
    if (!isErrno(thrown, "ENOENT")) throw thrown;
  }
  await rename(newOwnerFile(), ownerFile());
  await keepOld();
}

/**
 * Keeps the old key, named with the time of its replacement, because another relay of this owner may still
 * name it.
 */
async function keepOld(): Promise<void> {
  const wentAt = new Date().toISOString().replaceAll(":", "");
  try {
    await rename(oldOwnerFile(), `${oldOwnerFile()}-${wentAt}`);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
  }
}
