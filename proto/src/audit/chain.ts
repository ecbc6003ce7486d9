import { createHash } from "node:crypto";

/** Size of a chain's hashes, in bytes: SHA-256. */
export const CHAIN_HASH_BYTES = 32;

/** Most bytes of one record's body: a long command line and the fields around it. */
export const MAX_AUDIT_RECORD_BYTES = 16 * 1024;

/**
 * Returns the hash to which the first record of a chain is linked. `chain`: the chain's id, a UUID made with
 * it.
 */
export function chainStart(chain: string): Uint8Array {
  return createHash("sha256").update("cmdop audit chain v1\0").update(chain).digest();
}

/**
 * Returns the hash of a record, over the hash of the one before it and its own body. The first part has a
 * fixed length, so the input is unambiguous.
 */
export function chainNext(previous: Uint8Array, body: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(previous).update(body).digest();
}
