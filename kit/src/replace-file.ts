import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

/** A file that only its owner can read and write. */
const PRIVATE_MODE = 0o600;

/** Mode bits of group and others. */
const OTHERS = 0o077;

/** Whether others than its owner may do anything with a file of this mode. */
export function isOpenToOthers(mode: number): boolean {
  return (mode & OTHERS) !== 0;
}

/**
 * Replaces a file that only its owner may read, or makes it: written aside,
 * synced, renamed, and the directory synced. Whoever reads it, and whoever starts
 * after a crash, finds the old content or the new. Throws what the file system throws.
 */
export async function replacePrivateFile(file: string, content: string | Uint8Array): Promise<void> {
  const aside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    await writeSynced(aside, content);
    await rename(aside, file);
  } catch (thrown) {
    await rm(aside, { force: true });
    throw thrown;
  }
  await syncDirectory(path.dirname(file));
}

async function writeSynced(file: string, content: string | Uint8Array): Promise<void> {
  await using handle = await open(file, "wx", PRIVATE_MODE);
  await handle.writeFile(content);
  await handle.sync();
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
