import { CmdopError } from "@cmdop/proto";

/**
 * Converts a caller's offset, a whole number of bytes, for the wire. The SDK returns offsets as numbers,
 * which survive JSON and are exact up to 2^53: nine million gigabytes of output of one job.
 * @throws CmdopError InvalidArgument
 */
export function wireOffset(after: number | bigint | undefined): bigint {
  const isWhole = typeof after === "number" ? Number.isSafeInteger(after) : true;
  if (isWhole && (after ?? 0) >= 0) return BigInt(after ?? 0);
  throw new CmdopError("InvalidArgument", `after must be a whole number of bytes, not ${after}.`);
}
