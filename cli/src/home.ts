import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { diskError } from "@cmdop/proto";
import { CmdopError, cmdopHome, profilePath } from "@cmdop/sdk";

/** Where things are below CMDOP_HOME. */
export const homePaths = {
  home: (): string => cmdopHome(),
  owner: (): string => path.join(cmdopHome(), "owner"),
  relay: (): string => path.join(cmdopHome(), "relay"),
  profile: (): string => profilePath(),
};

/**
 * Replaces a file that only its owner can read, in a directory that only its
 * owner can enter: written aside, synced, renamed. A crash leaves the old or the new.
 * @throws CmdopError that names the file
 */
export async function writeSecretFile(file: string, content: string): Promise<void> {
  const aside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(aside, "wx", 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (thrown) {
    await rm(aside, { force: true });
    throw diskError(thrown, "write", file);
  }
}

/** The most that a secret file may hold, in bytes: keys and tokens are far smaller. */
const MAX_SECRET_FILE_BYTES = 64 * 1024;

/** Reads a secret file; undefined where there is none. Refuses one that others can read, and one that is too large to be it. */
export async function readSecretFile(
  file: string,
  maxBytes = MAX_SECRET_FILE_BYTES,
): Promise<string | undefined> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if ((found.mode & 0o077) !== 0) {
    throw new CmdopError(
      "AccessDenied",
      `${file} can be read by others (mode ${(found.mode & 0o777).toString(8)}).`,
      {
        next: `If nobody can have copied it: chmod 600 ${file}. Otherwise replace what is in it.`,
      },
    );
  }
  if (found.size > maxBytes) {
    throw new CmdopError(
      "InvalidArgument",
      `${file} is too large to be what it should: ${found.size} bytes.`,
      {
        next: "Look at what is in it; restore it from a backup.",
      },
    );
  }
  return readFile(file, "utf8");
}
