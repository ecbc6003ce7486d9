import { randomBytes } from "node:crypto";

/** How everything begins that is being made and has not got its name yet. After a crash such a file may be left; it is safe to delete. */
export const TEMPORARY_PREFIX = ".cmdop-tmp-";

/** A new name for something unfinished, in the directory where it will be finished. */
export function temporaryName(): string {
  return TEMPORARY_PREFIX + randomBytes(8).toString("hex");
}
