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

/** The old owner's key, while the new one takes its place. */
const oldOwnerFile = (): string => path.join(homePaths.owner(), "owner.key.old");

/** What a rotation needs to know. */
export interface HandOver {
  readonly relay: RelayTarget;
  /** The owner that signs it: the one that goes, or the recovery owner. */
  readonly signer: KeyPair;
  /** The public key of the owner that goes. */
  readonly remove: PublicKey;
  /** The recovery owner's public key, where it is known: it is believed, and goes into the new key's file. */
  readonly recovery: PublicKey | undefined;
  /** What the new key is sealed under. */
  readonly passphrase: Passphrase;
}

/**
 * Makes a new owner key and puts it in the place of the old one. In an order that
 * a crash can't break: the new key is on disk before the relay hears of it, the
 * old one until the relay has taken the roster without it; run again, it goes on
 * with the key that it had made.
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
  // Both the hand-over and the grants that were signed anew; the one that signed may be none any more.
  await using asNew = clientAs(key, relay);
  await ledger.learn(asNew);
  return rotated;
}

/** Whether an earlier attempt came as far as the relay: the new owner is one, and the old one is none any more. */
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

/** There is an owner.key at every moment: the old one gets a second name before the new one takes its first. */
async function takePlace(): Promise<void> {
  await rm(oldOwnerFile(), { force: true });
  try {
    await link(ownerFile(), oldOwnerFile());
  } catch (thrown) {
    // A recovery in a home that had no owner.
    if (!isErrno(thrown, "ENOENT")) throw thrown;
  }
  await rename(newOwnerFile(), ownerFile());
  await keepOld();
}

/** Another relay of this owner may still name the old key: it is kept, under the time at which it went. */
async function keepOld(): Promise<void> {
  const wentAt = new Date().toISOString().replaceAll(":", "");
  try {
    await rename(oldOwnerFile(), `${oldOwnerFile()}-${wentAt}`);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
  }
}
