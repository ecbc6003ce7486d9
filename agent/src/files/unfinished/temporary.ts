import { randomBytes } from "node:crypto";

/** How everything begins that is being made and has not got its name yet. What a crash leaves is removed at the next start (clean-up.ts). */
export const TEMPORARY_PREFIX = ".cmdop-tmp-";

/** The whole of such a name. */
export const TEMPORARY_NAME = /^\.cmdop-tmp-[0-9a-f]{16}$/;

/** A new name for something unfinished, in the directory where it will be finished. */
export function temporaryName(): string {
  return TEMPORARY_PREFIX + randomBytes(8).toString("hex");
}
