import { CmdopError } from "@cmdop/proto";

/**
 * An offset that a caller gives, as it travels: a whole number of bytes. What the
 * SDK gives is a number, so that it survives JSON: exact up to 2^53, nine million
 * gigabytes of output of one job.
 * @throws CmdopError InvalidArgument
 */
export function wireOffset(after: number | bigint | undefined): bigint {
  const isWhole = typeof after === "number" ? Number.isSafeInteger(after) : true;
  if (isWhole && (after ?? 0) >= 0) return BigInt(after ?? 0);
  throw new CmdopError("InvalidArgument", `after must be a whole number of bytes, not ${after}.`);
}
