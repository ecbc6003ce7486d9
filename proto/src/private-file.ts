import { readFileSync, statSync } from "node:fs";
import { isOpenToOthers, replacePrivateFile, unlessSync } from "@cmdop/kit";
import { diskError } from "./disk.ts";
import { CmdopError } from "./errors/cmdop-error.ts";

/** Largest private file, in bytes: keys, tokens and settings are far smaller. */
const MAX_PRIVATE_FILE_BYTES = 64 * 1024;

/**
 * Throws if a file or directory may be used by others than its owner. `danger`: the damage that they could
 * have done, if it is more than copying.
 * @throws CmdopError AccessDenied
 */
export function refuseShared(file: string, mode: number, danger?: string): void {
  if (!isOpenToOthers(mode)) return;
  throw new CmdopError(
    "AccessDenied",
    `Others than its owner may use ${file}: its mode is ${(mode & 0o777).toString(8).padStart(4, "0")}.`,
    {
      next:
        danger === undefined
          ? `If nobody can have copied or changed it: chmod go-rwx ${file}. Otherwise replace what is in it.`
          : `Run chmod go-rwx ${file}, and think about who had access: ${danger}`,
    },
  );
}

/**
 * Reads a file that only its owner may use; undefined if it does not exist. `maxBytes`: 64 KiB by default.
 * `danger`: as for refuseShared.
 * @throws CmdopError AccessDenied if others may use it, InvalidArgument if it is too large, and as diskError
 */
export function readPrivateFile(
  file: string,
  { maxBytes = MAX_PRIVATE_FILE_BYTES, danger }: { maxBytes?: number; danger?: string } = {},
): string | undefined {
  try {
    const found = unlessSync(["ENOENT"], () => statSync(file));
    if (found === undefined) return undefined;
    refuseShared(file, found.mode, danger);
    if (found.size > maxBytes) throw tooLarge(file, found.size);
    return readFileSync(file, "utf8");
  } catch (thrown) {
    throw diskError(thrown, "read", file);
  }
}

/** Replaces a file that only its owner may use, atomically. @throws CmdopError that names the file */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  try {
    await replacePrivateFile(file, content);
  } catch (thrown) {
    throw diskError(thrown, "write", file);
  }
}

function tooLarge(file: string, bytes: number): CmdopError {
  return new CmdopError("InvalidArgument", `${file} is too large for its purpose: ${bytes} bytes.`, {
    next: "Look at what is in it; name the right file, or restore it from a backup.",
  });
}
