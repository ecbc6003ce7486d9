import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { ED25519_BYTES, type KeyPair, keyPairOf, type PublicKey } from "./ed25519.ts";
import { bytes32Schema } from "./fields.ts";

/** The most that is read of a sealed key, in bytes: many times what one has. */
export const MAX_SEALED_KEY_BYTES = 4096;

/** The most that is taken as a passphrase, in bytes: a paragraph. More is a file that somebody has mistaken for one. */
export const MAX_PASSPHRASE_BYTES = 1024;

/** What a guess at a passphrase costs: 128 MiB of memory and some 0.3 s, what OWASP asks of scrypt. */
const COST = { N: 2 ** 17, r: 8, p: 1 } as const;

/** The most that a file may have us spend: twice the memory and four times the time of our own cost. */
const MAX_COST = { N: 2 ** 18, p: 4 } as const;

/** scrypt uses 128 N r bytes and a little more; Node asks for the limit. */
const MEMORY_LIMIT_BYTES = 128 * MAX_COST.N * COST.r + 16 * 1024 * 1024;

const SALT_BYTES = 16;
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Exactly `count` bytes as base64url. */
const bytesSchema = (count: number) =>
  z.base64url().refine((text) => Buffer.from(text, "base64url").length === count, `expected ${count} bytes`);

/** What is in clear. All of it goes into the seal, so that nothing of it can be changed. */
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

/** An owner's key as it lies on disk: what it is can be read, the private half only with the passphrase. */
export type SealedOwnerKey = z.infer<typeof fileSchema>;
type Header = z.infer<typeof headerSchema>;

/** Seals an owner's key under a passphrase. `recovery`: the public key of the recovery owner, where there is one. */
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

/** Opens a sealed key; undefined where this is not its passphrase (or something in it has been changed). */
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
    // Its only error: the tag is another one.
    return undefined;
  }
  const key = keyPairOf(seed);
  return key.publicKey === header.owner ? key : undefined;
}

/** A sealed key as the text of a file. */
export function formatSealedKey(sealed: SealedOwnerKey): string {
  return `${JSON.stringify(sealed, null, 2)}\n`;
}

/**
 * Reads the text of a sealed key; `file` is where it is from, for the errors, which never repeat what is in it.
 * @throws CmdopError AccessDenied for a key that is not sealed, InvalidArgument for what is no key
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
    `${file} holds the key of the owner ${owner} unsealed: whatever runs as this user, a job of an agent too, can have read it.`,
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

/** The header as one text, whatever the order in which a file has its members. */
function authenticated(header: Header): Buffer {
  const { format, version, owner, recovery = null, kdf, cipher, nonce } = header;
  const { name, N, r, p, salt } = kdf;
  return Buffer.from(JSON.stringify([format, version, owner, recovery, name, N, r, p, salt, cipher, nonce]));
}

function nonceOf({ nonce }: Header): Buffer {
  return Buffer.from(nonce, "base64url");
}

/** The key of the seal. Passphrases that look alike are the same: normalised, without blanks around them. */
function keyOf(passphrase: string, { kdf: { N, r, p, salt } }: Header): Promise<Buffer> {
  const text = passphrase.normalize("NFKC").trim();
  return stretch(text, Buffer.from(salt, "base64url"), 32, { N, r, p, maxmem: MEMORY_LIMIT_BYTES });
}

const stretch: (text: string, salt: Buffer, bytes: number, options: ScryptOptions) => Promise<Buffer> =
  promisify(scrypt);
