import { lstat, realpath } from "node:fs/promises";
import path from "node:path";
import { isErrno } from "@cmdop/kit";

/** Write access of group and others. */
const OTHERS_WRITE = 0o022;

/** In a directory with this bit only a file's owner may replace it. */
const STICKY = 0o1000;

/**
 * What on the way to these files somebody else than root could change: what a
 * unit of the system runs, it runs as root. Files that are not there yet are
 * judged by the directories that are.
 */
export async function changeableByOthers(files: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const file of files) {
    for (let at = await existing(file); ; at = path.dirname(at)) {
      const { uid, mode } = await lstat(at);
      const isOpen = (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0;
      if (uid !== 0 || isOpen) found.add(at);
      if (at === path.dirname(at)) break;
    }
  }
  return [...found];
}

/** The file itself, links resolved, or the nearest directory above it that exists. */
async function existing(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    return existing(path.dirname(file));
  }
}
