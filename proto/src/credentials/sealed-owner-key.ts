import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { ED25519_BYTES, type KeyPair, keyPairOf, type PublicKey } from "./ed25519.ts";
import { bytes32Schema } from "./fields.ts";

/** Most bytes that are read of a sealed key: many times its size. */
export const MAX_SEALED_KEY_BYTES = 4096;

/** Most bytes of a passphrase: a paragraph. A longer one is a file given by mistake. */
export const MAX_PASSPHRASE_BYTES = 1024;

/** Cost of one guess at a passphrase: 128 MiB of memory and some 0.3 s, as OWASP recommends for scrypt. */
const COST = { N: 2 ** 17, r: 8, p: 1 } as const;

/** Highest cost that a file may demand: twice the memory and four times the time of our own. */
const MAX_COST = { N: 2 ** 18, p: 4 } as const;

/** scrypt uses slightly more than 128 N r bytes; Node requires the limit. */
const MEMORY_LIMIT_BYTES = 128 * MAX_COST.N * COST.r + 16 * 1024 * 1024;

const SALT_BYTES = 16;
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Makes a schema of exactly `count` bytes as base64url. */
const bytesSchema = (count: number) =>
  z.base64url().refine((text) => Buffer.from(text, "base64url").length === count, `expected ${count} bytes`);

/** The unencrypted fields. The seal authenticates all of them, so that none can be changed. */
const headerShape = {
  format: z.literal("cmdop owner key"),
  version: z.literal(1),
  owner: bytes32Schema,
  recovery: bytes32Schema.optional(),
  kdf: z.strictObject({
    name: z.literal("scrypt"),
    N: z
      .int()
      .max(MAX_COST.N)
      .refine((n) => n > 1 && (n & (n - 1)) === 0, "expected a power of two"),
    r: z.literal(COST.r),
    p: z.int().min(1).max(MAX_COST.p),
    salt: bytesSchema(SALT_BYTES),
  }),
  cipher: z.literal(CIPHER),
  nonce: bytesSchema(NONCE_BYTES),
};
const headerSchema = z.strictObject(headerShape);
const fileSchema = z.strictObject({ ...headerShape, sealed: bytesSchema(ED25519_BYTES + TAG_BYTES) });

/**
 * An owner's key as stored on disk: its description is readable, its private half only with the passphrase.
 */
export type SealedOwnerKey = z.infer<typeof fileSchema>;
type Header = z.infer<typeof headerSchema>;

/**
 * Seals an owner's key with a passphrase. `recovery`: the public key of the recovery owner, if there is one.
 */
export async function sealOwnerKey(
  key: KeyPair,
  { passphrase, recovery }: { readonly passphrase: string; readonly recovery: PublicKey | undefined },
): Promise<SealedOwnerKey> {
  const header: Header = {
    format: "cmdop owner key",
    version: 1,
    owner: key.publicKey,
    ...(recovery === undefined ? {} : { recovery }),
    kdf: { name: "scrypt", ...COST, salt: randomBytes(SALT_BYTES).toString("base64url") },
    cipher: CIPHER,
    nonce: randomBytes(NONCE_BYTES).toString("base64url"),
  };
  const cipher = createCipheriv(CIPHER, await keyOf(passphrase, header), nonceOf(header));
  cipher.setAAD(authenticated(header));
  const sealed = Buffer.concat([cipher.update(key.seed), cipher.final(), cipher.getAuthTag()]);
  return { ...header, sealed: sealed.toString("base64url") };
}

/** Opens a sealed key; returns undefined if the passphrase is wrong (or a field was changed). */
export async function openOwnerKey(file: SealedOwnerKey, passphrase: string): Promise<KeyPair | undefined> {
  const { sealed, ...header } = file;
  const bytes = Buffer.from(sealed, "base64url");
  const decipher = createDecipheriv(CIPHER, await keyOf(passphrase, header), nonceOf(header));
  decipher.setAAD(authenticated(header));
  decipher.setAuthTag(bytes.subarray(ED25519_BYTES));
  const seed = decipher.update(bytes.subarray(0, ED25519_BYTES));
  try {
    decipher.final();
  } catch {
    // Its only error is a wrong tag.
    return undefined;
  }
  const key = keyPairOf(seed);
  return key.publicKey === header.owner ? key : undefined;
}

/** Formats a sealed key as the text of a file. */
export function formatSealedKey(sealed: SealedOwnerKey): string {
  return `${JSON.stringify(sealed, null, 2)}\n`;
}

/**
 * Parses the text of a sealed key. `file`: its path, for the errors, which never repeat its content.
 * @throws CmdopError AccessDenied for a key that is not sealed, InvalidArgument for a text that is not a key
 */
export function parseSealedKey(text: string, file: string): SealedOwnerKey {
  const seed = Buffer.from(text.trim(), "base64url");
  if (bytes32Schema.safeParse(text.trim()).success) throw unsealed(keyPairOf(seed).publicKey, file);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own error would quote the file.
    throw damaged(file);
  }
  const sealed = fileSchema.safeParse(parsed);
  if (!sealed.success) throw damaged(file);
  return sealed.data;
}

function unsealed(owner: PublicKey, file: string): CmdopError {
  return new CmdopError(
    "AccessDenied",
    `${file} holds the key of the owner ${owner} unsealed: everything that runs as this user, an agent's jobs included, may have read it.`,
    {
      next: `Replace it: cmdop owner recover --remove ${owner}, with the recovery key on standard input, makes a new owner key under a passphrase.`,
    },
  );
}

function damaged(file: string): CmdopError {
  return new CmdopError("InvalidArgument", `${file} does not hold a sealed owner key: it is damaged.`, {
    next: "Restore it from a backup; the recovery owner can name a new owner: cmdop owner recover.",
  });
}

/** Serializes the header, independent of the order of members in the file. */
function authenticated(header: Header): Buffer {
  const { format, version, owner, recovery = null, kdf, cipher, nonce } = header;
  const { name, N, r, p, salt } = kdf;
  return Buffer.from(JSON.stringify([format, version, owner, recovery, name, N, r, p, salt, cipher, nonce]));
}

function nonceOf({ nonce }: Header): Buffer {
  return Buffer.from(nonce, "base64url");
}

/**
 * Derives the key of the seal. Passphrases that look alike are equal: they are normalised, and blanks around
 * them are removed.
 */
function keyOf(passphrase: string, { kdf: { N, r, p, salt } }: Header): Promise<Buffer> {
  const text = passphrase.normalize("NFKC").trim();
  return stretch(text, Buffer.from(salt, "base64url"), 32, { N, r, p, maxmem: MEMORY_LIMIT_BYTES });
}

const stretch: (text: string, salt: Buffer, bytes: number, options: ScryptOptions) => Promise<Buffer> =
  promisify(scrypt);
