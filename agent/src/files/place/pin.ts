import { type BigIntStats, closeSync, constants, fstat, open, readlinkSync } from "node:fs";
import { lstat, realpath, stat } from "node:fs/promises";
import { posix } from "node:path";
import { CmdopError, pathText, systemPath } from "@cmdop/proto";
import { insideOf, mountOf, O_PATH } from "./mounts.ts";
import { shown } from "./path.ts";

/** One file, directory or link that is held: whatever becomes of its name, `at` leads to this very object. */
export interface Pin extends Disposable {
  /** What it was when it was pinned. Of a link that was not followed: the link. */
  readonly stats: BigIntStats;
  /** A path for system calls. Of a directory, names can be appended; of a link that was not followed it is of no use. */
  readonly at: string;
}

/** Where a held object lies, whatever is mounted where: one object has one location, but for hard links. */
export interface Location {
  /** The filesystem that it belongs to. */
  readonly device: string;
  /** Its path in that filesystem, of bytes, a character each: names need not be UTF-8. */
  readonly inside: string;
  /** Where the same would lie in the directories that an overlay is made of. */
  readonly layers: readonly string[];
  /** The filesystem's type, as "ext4" or "proc"; empty where it is not known. */
  readonly type: string;
}

/** How objects are held: the one place where operating systems differ. */
export interface Pinning {
  /** Whether names below a pin are safe from renames, so that callers can be confined to directories. */
  readonly canConfine: boolean;
  /** Holds what a path of the system names, through links before its last part; `options.follow` also through one at its end. */
  pin(path: string | Buffer, options?: PinOptions): Promise<Pin>;
  /** Where a held object is found now: the text of a path that is absolute, and free of links. */
  locate(pin: Pin): Promise<string>;
  /** The same, seen from its filesystem. Throws PolicyDenied for what is mounted nowhere here. */
  locationOf(pin: Pin): Promise<Location>;
}

/** How something is held. */
export interface PinOptions {
  /** Hold what a link at the end leads to. */
  readonly follow?: boolean;
  /** Hold nothing but a directory: throws ENOTDIR otherwise, for a link too. */
  readonly directory?: boolean;
}

/** What the system calls take for a name in a directory that is held. A string is a name's text, a Buffer its bytes. */
export function childOf(directory: Pin, name: string | Buffer): string | Buffer {
  const raw = typeof name === "string" ? systemPath(name) : name;
  if (typeof raw === "string") return `${directory.at}/${raw}`;
  return Buffer.concat([Buffer.from(`${directory.at}/`), raw]);
}

/** Whether two objects are one. */
export function sameObject(
  a: Pick<BigIntStats, "dev" | "ino">,
  b: Pick<BigIntStats, "dev" | "ino">,
): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Where the kernel has a process's own descriptors. */
const DESCRIPTORS = "/proc/self/fd/";

/** The descriptor that holds something, to be handed to a child; undefined where none does. */
export function descriptorOf({ at }: Pin): number | undefined {
  return at.startsWith(DESCRIPTORS) ? Number(at.slice(DESCRIPTORS.length)) : undefined;
}

/**
 * Linux: a descriptor holds the object, and /proc/self/fd/N/name is openat(2)
 * by another name. Closing and reading the link in /proc touch no disk, so they
 * may be synchronous; everything else could hang on a dead network filesystem.
 */
export const procPinning: Pinning = {
  canConfine: true,
  async pin(path, { follow = false, directory = false } = {}) {
    const flags = (follow ? 0 : constants.O_NOFOLLOW) | (directory ? constants.O_DIRECTORY : 0);
    const descriptor = await openDescriptor(path, O_PATH | flags);
    try {
      const stats = await statDescriptor(descriptor);
      return {
        stats,
        at: `${DESCRIPTORS}${descriptor}`,
        [Symbol.dispose]: () => closeSync(descriptor),
      };
    } catch (thrown) {
      closeSync(descriptor);
      throw thrown;
    }
  },
  async locate(pin) {
    const path = pathText(readlinkSync(pin.at, { encoding: "buffer" }));
    if (path.startsWith("/")) return path;
    throw new CmdopError(
      "InvalidArgument",
      `What was named lies at ${shown(path)}, which is no usable path.`,
      { next: "Name it directly." },
    );
  },
  async locationOf(pin) {
    const path = readlinkSync(pin.at, { encoding: "latin1" });
    const mount = mountOf(Number(pin.at.slice(DESCRIPTORS.length)));
    const inside = mount === undefined ? undefined : insideOf(mount, path);
    if (mount === undefined || inside === undefined) throw mountedNowhere(path);
    const layers = mount.layers.map((layer) => posix.join(layer, inside));
    return { device: mount.device, inside, layers, type: mount.type };
  },
};

/** Elsewhere: the name stands for the object, and nothing is safe from renames. */
export const plainPinning: Pinning = {
  canConfine: false,
  async pin(path, { follow = false } = {}) {
    const stats = follow ? await stat(path, { bigint: true }) : await lstat(path, { bigint: true });
    return { stats, at: path.toString(), [Symbol.dispose]: () => undefined };
  },
  locate: async (pin) => pathText(await realpath(pin.at, { encoding: "buffer" })),
  async locationOf(pin) {
    return { device: "", inside: await realpath(pin.at, { encoding: "latin1" }), layers: [], type: "" };
  },
};

/** What this operating system can do. */
export const systemPinning: Pinning = process.platform === "linux" ? procPinning : plainPinning;

function mountedNowhere(path: string): CmdopError {
  return new CmdopError(
    "PolicyDenied",
    `${shown(pathText(Buffer.from(path, "latin1")))} lies in no filesystem that is mounted here: it was unmounted, or reached through the mounts of another process.`,
    { next: "Use a command for what other processes have mounted." },
  );
}

function openDescriptor(path: string | Buffer, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, (error, descriptor) => (error === null ? resolve(descriptor) : reject(error)));
  });
}

function statDescriptor(descriptor: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(descriptor, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error)));
  });
}
