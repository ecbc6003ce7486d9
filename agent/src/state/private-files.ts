import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { isErrno } from "@cmdop/kit";
import { CmdopError, diskError } from "@cmdop/proto";

/** Makes a directory that only its owner can enter, and refuses one that others can. */
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
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700);
}

/**
 * Looks at everything that stands in a directory of ours: that only its owner can
 * read and write it, and that this process is that owner. What is in directories
 * there nobody else can reach. `except`: names that somebody else looks at.
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
    // Another agent that starts on the same state may write beside us; it is found out a little later.
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
    if ((mode & 0o077) !== 0) throw readableByOthers(file, mode);
  }
}

/** Replaces a file that only its owner can read: written aside, synced, renamed. @throws CmdopError that names the file */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  const aside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    await writeSynced(aside, content);
    await rename(aside, file);
  } catch (thrown) {
    await rm(aside, { force: true });
    throw diskError(thrown, "write", file);
  }
}

async function writeSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a file that only its owner may read; undefined where there is none. Refuses one that others can read. */
export async function readPrivateFile(file: string): Promise<string | undefined> {
  const found = await statIfThere(file);
  if (found === undefined) return undefined;
  const { mode } = found;
  if ((mode & 0o077) !== 0) throw readableByOthers(file, mode);
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    throw diskError(thrown, "read", file);
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

function readableByOthers(file: string, mode: number): CmdopError {
  const octal = (mode & 0o777).toString(8);
  return new CmdopError("AccessDenied", `${file} can be reached by others (mode ${octal}).`, {
    next: `If nobody can have copied or changed it: chmod go-rwx ${file}. Otherwise make a new one.`,
  });
}
