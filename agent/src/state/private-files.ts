import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { CmdopError } from "@cmdop/proto";

/** Makes a directory that only its owner can enter, and refuses one that others can. */
export async function makePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await stat(directory);
  if (!found.isDirectory()) throw new CmdopError("NotADirectory", `${directory} is not a directory.`);
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700);
}

/** Replaces a file that only its owner can read: written aside, synced, renamed. */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  const aside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await rename(aside, file);
  } catch (error) {
    await unlink(aside);
    throw error;
  }
}

/** Reads a file that only its owner may read; undefined where there is none. Refuses one that others can read. */
export async function readPrivateFile(file: string): Promise<string | undefined> {
  let mode: number;
  try {
    mode = (await stat(file)).mode;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  if ((mode & 0o077) !== 0) {
    throw new CmdopError(
      "AccessDenied",
      `${file} can be read by others (mode ${(mode & 0o777).toString(8)}).`,
      {
        next: `If nobody can have copied it: chmod 600 ${file}. Otherwise make a new one.`,
      },
    );
  }
  return readFile(file, "utf8");
}
