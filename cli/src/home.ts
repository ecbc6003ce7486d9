import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { CmdopError, cmdopHome, profilePath } from "@cmdop/sdk";

/** Where things are below CMDOP_HOME. */
export const homePaths = {
  home: (): string => cmdopHome(),
  owner: (): string => path.join(cmdopHome(), "owner"),
  relay: (): string => path.join(cmdopHome(), "relay"),
  profile: (): string => profilePath(),
};

/** Writes a file that only its owner can read, in a directory that only its owner can enter. */
export async function writeSecretFile(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, content, { mode: 0o600 });
}

/** Reads a secret file; undefined where there is none. Refuses one that others can read. */
export async function readSecretFile(file: string): Promise<string | undefined> {
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
  return readFile(file, "utf8");
}
