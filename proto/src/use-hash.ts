import { createHash } from "node:crypto";

/** Of SHA-256, in bytes: nobody finds two uses with the same beginning, and people and models read it. */
const HASH_BYTES = 16;

/**
 * What tells one use of a run's tool from every other, base64url: a yes is for
 * this one. Whoever shows a use to a person computes it from what is shown, the
 * machine from what it carries out.
 */
export function useHash(tool: string, input: unknown): string {
  const json = JSON.stringify([tool, input], sortedKeys);
  return createHash("sha256").update(json).digest().subarray(0, HASH_BYTES).toString("base64url");
}

/** For JSON.stringify: the same values in another order are the same. */
export function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
