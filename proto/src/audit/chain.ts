import { createHash } from "node:crypto";

/** Bytes of a chain's hashes: SHA-256. */
export const CHAIN_HASH_BYTES = 32;

/** Bytes of one record's body: a long command line and what stands around it. */
export const MAX_AUDIT_RECORD_BYTES = 16 * 1024;

/** What the first record of a chain is chained to. `chain`: the chain's id, a UUID made with it. */
export function chainStart(chain: string): Uint8Array {
  return createHash("sha256").update("cmdop audit chain v1\0").update(chain).digest();
}

/** The hash of a record: over the hash of the one before it, and its own body. Both lengths are known, so nothing is ambiguous. */
export function chainNext(previous: Uint8Array, body: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(previous).update(body).digest();
}
