import type { Stats } from "node:fs";
import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { isErrno, isOpenToOthers } from "@cmdop/kit";
import { CmdopError, diskError, refuseShared } from "@cmdop/proto";

/**
 * Makes a directory that only its owner can enter. An existing directory gets mode 0700; one that belongs to
 * another user is refused.
 * @throws CmdopError AccessDenied, NotADirectory, or the error of the disk
 */
export async function makePrivateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw diskError(thrown, "make", directory);
  }
  const found = await stat(directory);
  if (!found.isDirectory()) throw new CmdopError("NotADirectory", `${directory} is not a directory.`);
  const self = process.getuid?.();
  if (self !== undefined && found.uid !== self) {
    throw new CmdopError(
      "AccessDenied",
      `${directory} belongs to user ${found.uid}, who could take the policy away; this process is user ${self}.`,
      { next: "Run it as the user that it was set up for, or set CMDOP_HOME to a home of its own." },
    );
  }
  if (isOpenToOthers(found.mode)) await chmod(directory, 0o700);
}

/**
 * Checks that every file in one of our directories can be read and written only by its owner, and that this
 * process is that owner. Nobody else can reach the content of directories there. `except`: names that are
 * checked elsewhere.
 * @throws CmdopError AccessDenied
 */
export async function checkPrivateDirectory(
  directory: string,
  { except = [] }: { except?: readonly string[] } = {},
): Promise<void> {
  for (const name of await readdir(directory)) {
    if (except.includes(name)) continue;
    const file = path.join(directory, name);
    const found = await statIfThere(file);
    // Another agent that starts on the same state may write at the same time; it is detected later.
    if (found === undefined) continue;
    const { mode, uid } = found;
    const self = process.getuid?.();
    if (self !== undefined && uid !== self) {
      throw new CmdopError(
        "AccessDenied",
        `${file} belongs to user ${uid}, not to user ${self} of this process.`,
        {
          next: `Run it as the user that it was set up for. If it was copied here: chown -R ${self} ${directory}.`,
        },
      );
    }
    refuseShared(file, mode);
  }
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw diskError(error, "look at", file);
  }
}
