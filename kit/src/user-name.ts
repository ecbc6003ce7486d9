import os from "node:os";

/** Returns the name of this process's user; the number, where the system has no entry, as often in containers. */
export function userName(): string {
  try {
    return os.userInfo().username;
  } catch (thrown) {
    // Node throws a system error without an errno here: there is no such user.
    if (thrown instanceof Error && "code" in thrown) return `user ${process.geteuid?.()}`;
    throw thrown;
  }
}
