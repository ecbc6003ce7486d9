import { readFileSync, statSync } from "node:fs";
import { CmdopError } from "@cmdop/proto";

/** Mode bits of group and others. */
const NOT_THE_OWNER = 0o077;

/** The most that a file with a key in it may hold, in bytes: a profile has some hundreds. */
const MAX_PRIVATE_FILE_BYTES = 64 * 1024;

/**
 * Reads a file with a key in it.
 * @throws CmdopError AccessDenied where others than its owner may use it, InvalidArgument where it is too large; and what the file system throws
 */
export function readPrivateFile(file: string, maxBytes = MAX_PRIVATE_FILE_BYTES): string {
  const { mode, size } = statSync(file);
  if (size > maxBytes) {
    throw new CmdopError("InvalidArgument", `${file} is too large to hold a key: ${size} bytes.`, {
      next: "Name the right file, or restore it from a backup.",
    });
  }
  if ((mode & NOT_THE_OWNER) === 0) return readFileSync(file, "utf8");
  throw new CmdopError(
    "AccessDenied",
    `Others than its owner may use ${file}: its mode is ${(mode & 0o777).toString(8).padStart(4, "0")}.`,
    { next: `If nobody can have copied it: chmod 600 ${file}. Otherwise replace the key in it.` },
  );
}
