import { createHash, createPrivateKey, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";
import { isOpenToOthers } from "@cmdop/kit";
import {
  CmdopError,
  diskError,
  isPinnedRelayId,
  RELAY_CA_NAME,
  readPrivateFile,
  relayIdOf,
  relayIdSchema,
  writePrivateFile,
} from "@cmdop/proto";
import { type Credential, createCa, createLeaf } from "./certificates.ts";

/** Lifetime of the CA, in days. Its key is the relay's id, and no client checks its end. */
const CA_LIFETIME_DAYS = 30 * 365;

/** Lifetime of a leaf, in days: short, since its key lives in memory only and a new one costs nothing. */
const LEAF_LIFETIME_DAYS = 90;

/**
 * Time before its end at which a leaf is replaced, in days: a relay whose renewal hangs over a holiday is
 * still in time.
 */
const LEAF_RENEW_DAYS = 30;

/** Length of a secret that is not derived from a CA's key, in bytes. */
const SECRET_BYTES = 32;

const DAY_MS = 24 * 60 * 60 * 1000;

/** Hosts in every leaf. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"];

/** The relay's identity: its id, its secret and its certificate. */
export interface Identity {
  /** The relay's id: the hash of its CA's public key, or its host name. */
  readonly id: string;
  /** True if it existed before this start. */
  readonly isKnown: boolean;
  /** A secret of 32 bytes that only this relay knows, unchanged as long as it is the same relay. */
  readonly secret: Uint8Array;
  /**
   * Returns the present options for TLS. A leaf near its end is replaced first, and certificate files are
   * read again.
   */
  secureContext(): Promise<SecureContextOptions>;
}

/**
 * Returns the identity with the relay's own CA, which is made at the first start and kept in the state
 * directory; leaves live in memory only. `before`: the id of the relay that the state belongs to; if it is a
 * CA's, a missing CA is never replaced by a new one.
 * @throws CmdopError InvalidArgument
 */
export async function ownIdentity(
  stateDir: string,
  hosts: readonly string[],
  before?: string | undefined,
): Promise<Identity> {
  const mustBe = before !== undefined && isPinnedRelayId(before) ? before : undefined;
  const { ca, isKnown } = await loadOrCreateCa(stateDir, mustBe);
  const issue = (): Credential =>
    createLeaf(
      ca,
      "cmdop relay",
      [...new Set([...LOCAL_HOSTS, ...hosts])],
      daysFromNow(-1),
      daysFromNow(LEAF_LIFETIME_DAYS),
    );
  let leaf = issue();
  return {
    id: relayIdOf(ca.certificate),
    isKnown,
    secret: secretOf(ca.privateKey.export({ format: "der", type: "pkcs8" })),
    async secureContext() {
      if (Date.parse(leaf.certificate.validTo) < Date.now() + LEAF_RENEW_DAYS * DAY_MS) leaf = issue();
      return { key: pemOf(leaf.privateKey), cert: leaf.certificate.toString() + ca.certificate.toString() };
    },
  };
}

/**
 * Returns the identity with a certificate from another issuer, in two PEM files. The relay's id is the first
 * host name in it.
 */
export async function filesIdentity(stateDir: string, certFile: string, keyFile: string): Promise<Identity> {
  await makeStateDir(stateDir);
  const read = async (): Promise<SecureContextOptions> => ({
    cert: await readFile(certFile),
    key: await readFile(keyFile),
  });
  const { cert } = await read();
  const hosts = dnsNames(new X509Certificate(String(cert)));
  const id = hosts.find((host) => relayIdSchema.safeParse(host).success);
  if (id === undefined) {
    throw new CmdopError(
      "InvalidArgument",
      `The certificate in ${certFile} has no host name that could be the relay's id: ${hosts.join(", ") || "there is no DNS name at all"}.`,
      { next: "Use a certificate for a full host name, or none: the relay then makes its own." },
    );
  }
  const file = join(stateDir, "secret.key");
  const known = readPrivateFile(file, {
    danger: "anyone who has read it can admit machines that never joined.",
  });
  const made = known ?? randomBytes(SECRET_BYTES).toString("base64url");
  if (known === undefined) await writePrivateFile(file, made);
  return { id, isKnown: known !== undefined, secret: secretOf(made), secureContext: read };
}

/** Returns the host names of a certificate's subjectAltName, in their order. */
function dnsNames(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? "")
    .split(", ")
    .filter((name) => name.startsWith("DNS:"))
    .map((name) => name.slice("DNS:".length).toLowerCase());
}

async function loadOrCreateCa(
  stateDir: string,
  mustBe: string | undefined,
): Promise<{ ca: Credential; isKnown: boolean }> {
  await makeStateDir(stateDir);
  const file = join(stateDir, "ca.pem");
  const pem = readPrivateFile(file, {
    danger:
      "anyone who has read it can pose as this relay; without the file this would become another relay.",
  });
  if (pem !== undefined) {
    const ca = readCa(pem, file);
    const id = relayIdOf(ca.certificate);
    if (mustBe === undefined || id === mustBe) return { ca, isKnown: true };
    throw new CmdopError(
      "InvalidArgument",
      `${file} is the identity of relay ${id}, but relay.db beside it is the store of relay ${mustBe}.`,
      { next: "Restore both from one backup: docs/backup.md." },
    );
  }
  if (mustBe !== undefined) {
    throw new CmdopError(
      "InvalidArgument",
      `${file} is gone, the identity of relay ${mustBe}, by which all keys and machines know this relay.`,
      {
        next: `Restore it from a backup (docs/backup.md). Without one, begin another relay: move ${stateDir} away, let every machine join again and make new keys.`,
      },
    );
  }
  const ca = createCa(RELAY_CA_NAME, daysFromNow(-1), daysFromNow(CA_LIFETIME_DAYS));
  // Key and certificate are in one file, which appears whole or not at all, because half a CA would be
  // another relay.
  await writePrivateFile(file, pemOf(ca.privateKey) + ca.certificate.toString());
  return { ca, isKnown: false };
}

function readCa(pem: string, file: string): Credential {
  try {
    const ca = { privateKey: createPrivateKey(pem), certificate: new X509Certificate(pem) };
    if (ca.certificate.checkPrivateKey(ca.privateKey)) return ca;
  } catch (thrown) {
    throw damagedCa(file, thrown);
  }
  throw damagedCa(file, new Error("its key and its certificate do not belong together"));
}

function damagedCa(file: string, cause: unknown): CmdopError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new CmdopError("InvalidArgument", `${file}, the relay's identity, is damaged: ${words}.`, {
    next: "Restore it from a backup: docs/backup.md. Nothing was changed; with another identity this would be another relay to all machines and keys.",
    cause,
  });
}

function secretOf(source: string | Uint8Array): Uint8Array {
  return createHash("sha256").update("cmdop relay secret v1\0").update(source).digest();
}

/** Makes the state directory, closed to other users whatever its mode was. */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    // The mode is set only if needed, because a disk that takes no writes would refuse even the same mode.
    if (isOpenToOthers((await stat(stateDir)).mode)) await chmod(stateDir, 0o700);
  } catch (thrown) {
    throw diskError(thrown, "use", stateDir);
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

function daysFromNow(days: number): Date {
  return new Date(Math.floor((Date.now() + days * DAY_MS) / 1000) * 1000);
}
