import { createHash } from "node:crypto";

/**
 * Used bytes of a SHA-256. Nobody can find two uses with the same 16 bytes, and people and models read the
 * hash.
 */
const HASH_BYTES = 16;

/**
 * Returns the hash of one use of a run's tool, base64url, to which an approval is bound. A client computes it
 * from the use that it shows to a person, the machine from the use that it carries out.
 */
export function useHash(tool: string, input: unknown): string {
  const json = JSON.stringify([tool, input], sortedKeys);
  return createHash("sha256").update(json).digest().subarray(0, HASH_BYTES).toString("base64url");
}

/** Replacer for JSON.stringify that sorts keys, so that their order does not matter. */
export function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
