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

/** Life of the CA, in days: its key is the relay's id, and no client ever looks at its end. */
const CA_LIFETIME_DAYS = 30 * 365;

/** Life of a leaf, in days: short, since its key lives in memory only and a new one costs nothing. */
const LEAF_LIFETIME_DAYS = 90;

/** How long before its end a leaf is replaced, in days: a relay that hangs over a holiday is still in time. */
const LEAF_RENEW_DAYS = 30;

/** Bytes of a secret that is not derived from a CA's key. */
const SECRET_BYTES = 32;

const DAY_MS = 24 * 60 * 60 * 1000;

/** Hosts that every leaf is for. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"];

/** What the relay shows on its port. */
export interface Identity {
  /** The relay's id: the hash of its CA's public key, or its host name. */
  readonly id: string;
  /** Whether it was there before this start. */
  readonly isKnown: boolean;
  /** What this relay alone knows, for as long as it is the same relay; 32 bytes. */
  readonly secret: Uint8Array;
  /** What TLS needs now. A leaf near its end is replaced first, certificate files are read again. */
  secureContext(): Promise<SecureContextOptions>;
}

/**
 * The relay's own CA, made at the first start and kept in the state directory;
 * leaves live in memory only. `before`: whose the state is; where it is a CA's,
 * another one is never made in its place.
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

/** A certificate that somebody else issued, from two PEM files; the relay's id is its first host name. */
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
      `The certificate in ${certFile} names no host that could be the relay's id: ${hosts.join(", ") || "it has no DNS name at all"}.`,
      { next: "Use a certificate for a full host name, or none: the relay then makes its own." },
    );
  }
  const file = join(stateDir, "secret.key");
  const known = readPrivateFile(file, {
    danger: "who has read it can take machines in that were never let in.",
  });
  const made = known ?? randomBytes(SECRET_BYTES).toString("base64url");
  if (known === undefined) await writePrivateFile(file, made);
  return { id, isKnown: known !== undefined, secret: secretOf(made), secureContext: read };
}

/** The host names of a certificate's subjectAltName, in their order. */
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
    danger: "who has read it can pose as this relay; deleting it makes another relay of this one.",
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
      `${file} is gone, the identity of relay ${mustBe}: all keys and machines know this relay by it.`,
      {
        next: `Restore it from a backup (docs/backup.md). Where there is none, begin another relay: move ${stateDir} away, let every machine join anew and give out new keys.`,
      },
    );
  }
  const ca = createCa(RELAY_CA_NAME, daysFromNow(-1), daysFromNow(CA_LIFETIME_DAYS));
  // Key and certificate are one file, and it appears whole or not at all: half a CA would be another relay.
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
    next: "Restore it from a backup: docs/backup.md. Nothing was changed; another identity would be another relay to all machines and keys.",
    cause,
  });
}

function secretOf(source: string | Uint8Array): Uint8Array {
  return createHash("sha256").update("cmdop relay secret v1\0").update(source).digest();
}

/** Nobody else may even look in, whatever the directory's mode was. */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    // A disk that takes nothing would not let it be said again.
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
