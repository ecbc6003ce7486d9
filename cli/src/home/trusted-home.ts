import { chmodSync, lstatSync, mkdirSync, readlinkSync, type Stats } from "node:fs";
import path from "node:path";

/** The reason to distrust a directory, and the next step. */
export interface Distrust {
  readonly reason: string;
  readonly next: string;
}

const GROUP_WRITES = 0o020;
const ALL_WRITE = 0o002;

/** In a directory with this bit only a file's owner may replace it. */
const STICKY = 0o1000;

/** Links that are followed on the way: as many as Linux follows. */
const MAX_LINKS = 40;

/**
 * Why somebody else could have put something into a directory, or another in
 * its place: what lies there is read, and some of it run, as this user. Looks
 * at the directory and at each directory and link on the way, and reads
 * nothing. Undefined for one that is this user's (or root's) alone, and for one
 * that is still to be made where nobody else could make it first.
 */
export function whyDistrusted(directory: string): Distrust | undefined {
  // Windows has other rights, and nothing of ours runs there as somebody else.
  if (process.getuid === undefined) return undefined;
  const left = partsOf(path.resolve(directory));
  let at = "/";
  for (let links = 0; ; ) {
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const distrust = ownerDistrusted(at, stats) ?? writersDistrusted(at, stats, left.length === 0);
    if (distrust !== undefined) return distrust;
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > MAX_LINKS) return { reason: `${at} is a link that leads nowhere.`, next: `rm ${at}` };
      left.unshift(...partsOf(path.resolve(path.dirname(at), readlinkSync(at))));
      at = "/";
      continue;
    }
    const name = left.shift();
    if (name === undefined) return undefined;
    at = path.join(at, name);
  }
}

/** Makes a directory where it is missing, this user's alone whatever the umask. Returns why it can't be relied on all the same. */
export function makeTrusted(directory: string): Distrust | undefined {
  if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(directory, 0o700);
  return whyDistrusted(directory);
}

function ownerDistrusted(at: string, { uid }: Stats): Distrust | undefined {
  const self = process.getuid?.();
  if (uid === self || uid === 0) return undefined;
  return {
    reason: `${at} belongs to user ${uid}, who could change what this process, of user ${self}, would rely on.`,
    next: "Run it as that user, or set CMDOP_HOME to a directory of your own.",
  };
}

/** `isLast`: in the directory itself nobody else may make anything, sticky or not. */
function writersDistrusted(at: string, stats: Stats, isLast: boolean): Distrust | undefined {
  if (stats.isSymbolicLink()) return undefined;
  const { mode, gid } = stats;
  // Whoever shares a group with us was let in on purpose: as a volume of a container's is.
  const isForeignGroup = gid !== 0 && process.getgroups?.().includes(gid) !== true;
  const isOpen = (mode & ALL_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && isForeignGroup);
  if (!isOpen || ((mode & STICKY) !== 0 && !isLast)) return undefined;
  return {
    reason: `Others may write into ${at} (mode ${(mode & 0o7777).toString(8)}), and could have changed what lies in it.`,
    next: `If nobody has: chmod go-w ${at}. Otherwise begin with a new one: set CMDOP_HOME.`,
  };
}

function partsOf(absolute: string): string[] {
  return absolute.split(path.sep).filter((part) => part !== "");
}
