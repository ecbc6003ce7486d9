import { readFileSync } from "node:fs";
import { isErrno } from "@cmdop/kit";
import { pathText } from "@cmdop/proto";
import { isWithin } from "../files/place/path.ts";

/** A mounted filesystem. */
export interface Mount {
  /** What the system calls it as long as it is there. */
  readonly id: number;
  /** Where it is mounted. */
  readonly point: string;
}

/** Where Linux says what is mounted: text that the kernel makes, no disk is asked for it. */
const MOUNT_INFO = "/proc/self/mountinfo";

/** What is mounted, in the order of mounting; nothing where the system does not say. */
export function readMounts(): Mount[] {
  let text: string;
  try {
    text = readFileSync(MOUNT_INFO, "latin1");
  } catch (thrown) {
    // Not Linux.
    if (isErrno(thrown, "ENOENT")) return [];
    throw thrown;
  }
  return parseMounts(text);
}

/** The lines of mountinfo, of bytes, a character each: `id parent device root point …`. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [id, , , , point] = line.split(" ");
    return point === undefined ? [] : [{ id: Number(id), point: unescaped(point) }];
  });
}

/** The mount that a path lies on: of all around it the deepest, of those at one place the last. The path must be normalised, and free of links. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    if (!isWithin(path, mount.point)) continue;
    if (found === undefined || mount.point.length >= found.point.length) found = mount;
  }
  return found;
}

/** The kernel writes a space, a tab, a newline and a backslash as `\040`: their code in octal. */
function unescaped(point: string): string {
  const raw = point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  return pathText(Buffer.from(raw, "latin1"));
}
