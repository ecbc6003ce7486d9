import { type BigIntStats, closeSync, constants, fstat, open, readlinkSync } from "node:fs";
import { lstat, realpath, stat } from "node:fs/promises";
import { CmdopError } from "@cmdop/proto";
import { shown } from "./path.ts";

/** One file, directory or link that is held: whatever becomes of its name, `at` leads to this very object. */
export interface Pin extends Disposable {
  /** What it was when it was pinned. Of a link that was not followed: the link. */
  readonly stats: BigIntStats;
  /** A path for system calls. Of a directory, names can be appended; of a link that was not followed it is of no use. */
  readonly at: string;
}

/** How objects are held: the one place where operating systems differ. */
export interface Pinning {
  /** Whether names below a pin are safe from renames, so that callers can be confined to directories. */
  readonly canConfine: boolean;
  /** Holds what a path names; `follow` also goes through links (in the last part; those before it are always followed). */
  pin(path: string | Buffer, follow: boolean): Promise<Pin>;
  /** Where a held object lies now: absolute, and free of links. */
  locate(pin: Pin): Promise<string>;
}

/** What the system calls take for a name in a directory that is held. Raw names are bytes. */
export function childOf(directory: Pin, name: string | Buffer): string | Buffer {
  if (typeof name === "string") return `${directory.at}/${name}`;
  return Buffer.concat([Buffer.from(`${directory.at}/`), name]);
}

/** Whether two objects are one. */
export function sameObject(
  a: Pick<BigIntStats, "dev" | "ino">,
  b: Pick<BigIntStats, "dev" | "ino">,
): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Linux's flag for a descriptor that only names an object: opening a FIFO or a device with it does nothing to it. Node has no constant for it. */
const O_PATH = 0o10000000;

/**
 * Linux: a descriptor holds the object, and /proc/self/fd/N/name is openat(2)
 * by another name. Closing and reading the link in /proc touch no disk, so they
 * may be synchronous; everything else could hang on a dead network filesystem.
 */
export const procPinning: Pinning = {
  canConfine: true,
  async pin(path, follow) {
    const descriptor = await openDescriptor(path, O_PATH | (follow ? 0 : constants.O_NOFOLLOW));
    try {
      const stats = await statDescriptor(descriptor);
      return {
        stats,
        at: `/proc/self/fd/${descriptor}`,
        [Symbol.dispose]: () => closeSync(descriptor),
      };
    } catch (thrown) {
      closeSync(descriptor);
      throw thrown;
    }
  },
  async locate(pin) {
    const raw = readlinkSync(pin.at, { encoding: "buffer" });
    const path = raw.toString();
    if (!raw.equals(Buffer.from(path)) || !path.startsWith("/")) {
      throw new CmdopError(
        "InvalidArgument",
        `What was named lies at ${shown(path)}, which is no usable path.`,
        {
          next: "Name it directly; names that are not UTF-8 can only be reached by a command.",
        },
      );
    }
    return path;
  },
};

/** Elsewhere: the name stands for the object, and nothing is safe from renames. */
export const plainPinning: Pinning = {
  canConfine: false,
  async pin(path, follow) {
    const stats = follow ? await stat(path, { bigint: true }) : await lstat(path, { bigint: true });
    return { stats, at: path.toString(), [Symbol.dispose]: () => undefined };
  },
  locate: (pin) => realpath(pin.at),
};

/** What this operating system can do. */
export const systemPinning: Pinning = process.platform === "linux" ? procPinning : plainPinning;

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
