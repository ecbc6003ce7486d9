import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { CmdopError } from "../errors/cmdop-error.ts";

/** Length of an Ed25519 seed, and of a public key, in bytes. */
export const ED25519_BYTES = 32;

/** The public half of a key pair: 32 bytes as base64url, 43 characters, as in statements. */
export type PublicKey = string;

/** An RFC 7638 thumbprint (SHA-256, base64url, 43 characters), the id of a key or machine. */
export type KeyId = string;

/** An Ed25519 key pair. */
export interface KeyPair {
  readonly seed: Uint8Array;
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;
  readonly id: KeyId;
}

/** Bytes before the seed in the PKCS #8 form of an Ed25519 private key (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Makes a new key pair. Its id does not begin with a dash, because people give ids as arguments of commands,
 * where a dash begins an option.
 */
export function generateKeyPair(): KeyPair {
  for (;;) {
    const made = keyPairOf(randomBytes(ED25519_BYTES));
    if (!made.id.startsWith("-")) return made;
  }
}

/** Returns the key pair of a 32-byte seed. */
export function keyPairOf(seed: Uint8Array): KeyPair {
  if (seed.length !== ED25519_BYTES) {
    throw new CmdopError("InvalidArgument", `An Ed25519 seed has 32 bytes, this one ${seed.length}.`);
  }
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey(privateKey).export({ format: "jwk" }).x;
  if (publicKey === undefined) throw new TypeError("an Ed25519 JWK without x");
  return { seed, privateKey, publicKey, id: thumbprint(publicKey) };
}

/** Converts a public key for node:crypto. */
export function publicKeyObject(publicKey: PublicKey): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
}

/** Returns the id of a public key: its RFC 7638 thumbprint, members in lexical order. */
export function thumbprint(publicKey: PublicKey): KeyId {
  return createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${publicKey}"}`).digest("base64url");
}
