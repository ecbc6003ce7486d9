import os from "node:os";
import process from "node:process";

/** The user's home directory: HOME, unless it is empty, else the system's entry; undefined for a user without either. */
export function userHome(): string | undefined {
  try {
    const home = process.env.HOME === "" ? os.userInfo().homedir : os.homedir();
    return home === "" ? undefined : home;
  } catch (thrown) {
    // The system knows no such user.
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ERR_SYSTEM_ERROR") return undefined;
    throw thrown;
  }
}
