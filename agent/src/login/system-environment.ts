import { statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isErrno, unlessSync } from "@cmdop/kit";
import { parseEnvironmentFile } from "./environment-file.ts";
import { parsePamEnvironment } from "./pam-environment.ts";
import type { Account } from "./passwd.ts";
import { withoutWithheld } from "./withheld.ts";

/** Largest file of variables, in bytes. Such a file has some lines; a larger one is ignored. */
export const MAX_ENVIRONMENT_FILE_BYTES = 64 * 1024;

/** Files that a login on Linux reads, in PAM's order: later values win. */
export interface SystemFiles {
  readonly environment: string;
  readonly pam: string;
  /** Used by Debian and its derivatives. */
  readonly locale: string;
}

export const SYSTEM_FILES: SystemFiles = {
  environment: "/etc/environment",
  pam: "/etc/security/pam_env.conf",
  locale: "/etc/default/locale",
};

/** Returns the variables that a login of this user gets from the system, whatever its shell does. */
export async function systemEnvironment(
  account: Account,
  files: SystemFiles = SYSTEM_FILES,
): Promise<Record<string, string>> {
  if (process.platform !== "linux") return {};
  const first = parseEnvironmentFile(await textOf(files.environment));
  const pam = parsePamEnvironment(await textOf(files.pam), account, first);
  const locale = parseEnvironmentFile(await textOf(files.locale));
  return withoutWithheld({ ...first, ...pam, ...locale });
}

/**
 * Returns the variables by which programs find the user's services. They exist while the user is logged in
 * somewhere, or lingers.
 */
export function runtimeEnvironment(uid: number): Record<string, string> {
  if (process.platform !== "linux") return {};
  const directory = `/run/user/${uid}`;
  const found = unlessSync(["EACCES"], () => statSync(directory, { throwIfNoEntry: false }));
  if (found === undefined || !found.isDirectory() || found.uid !== uid) return {};
  const bus = unlessSync(["EACCES"], () => statSync(`${directory}/bus`, { throwIfNoEntry: false }));
  return {
    XDG_RUNTIME_DIR: directory,
    ...(bus?.isSocket() ? { DBUS_SESSION_BUS_ADDRESS: `unix:path=${directory}/bus` } : {}),
  };
}

/** Reads a file; empty if it does not exist, can't be read, or is too large. */
async function textOf(file: string): Promise<string> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT", "ENOTDIR", "EACCES")) return "";
    throw thrown;
  }
  try {
    const { size } = await handle.stat();
    return size > MAX_ENVIRONMENT_FILE_BYTES ? "" : (await handle.readFile()).toString("utf8");
  } finally {
    await handle.close();
  }
}
