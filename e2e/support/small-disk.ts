import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { isErrno } from "@cmdop/kit";

/** Written at once while a disk is filled, the largest first, so that not one byte is left. */
const FILL_STEPS_BYTES = [64 * 1024, 4096, 1];

/** The size of a disk that can fail, in bytes: about the smallest on which ext4 has a journal. */
const FAILING_DISK_BYTES = 64 * 1024 * 1024;

/**
 * A real file system of its own that can be filled, lose its last inode, become
 * read-only or fail. Needs root. Dispose it and nothing is left, also while
 * something still has a file of it open.
 */
export class SmallDisk implements Disposable {
  /** Where it is mounted. */
  readonly directory: string;
  readonly #image: string | undefined;

  private constructor(directory: string, image?: string) {
    this.directory = directory;
    this.#image = image;
  }

  /** A disk in memory, of so many bytes and files. */
  static mount({ bytes, inodes }: { bytes: number; inodes?: number }): SmallDisk {
    const directory = mountPoint();
    const options = [`size=${bytes}`, ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`])].join(",");
    run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", directory]);
    return new SmallDisk(directory);
  }

  /** An ext4 that the system makes read-only when it finds it broken, files that are open for writing included. */
  static mountFailing(): SmallDisk {
    const directory = mountPoint();
    const image = `${directory}.img`;
    writeFileSync(image, "");
    truncateSync(image, FAILING_DISK_BYTES);
    run("mkfs.ext4", ["-q", image]);
    run("mount", ["-o", "loop,errors=remount-ro", image, directory]);
    return new SmallDisk(directory, image);
  }

  /** Takes every byte that is left. */
  fill(): void {
    const file = openSync(this.#filling, "a");
    for (const bytes of FILL_STEPS_BYTES) {
      untilNoSpace(() => writeSync(file, Buffer.alloc(bytes)));
    }
    closeSync(file);
  }

  /** Takes every file that could still be made; bytes are left. */
  useUpInodes(): void {
    mkdirSync(this.#names, { recursive: true });
    let count = 0;
    untilNoSpace(() => {
      writeFileSync(path.join(this.#names, String(count)), "");
      count += 1;
    });
  }

  /** Gives back what was taken. */
  free(): void {
    if (existsSync(this.#filling)) unlinkSync(this.#filling);
    rmSync(this.#names, { recursive: true, force: true });
  }

  /** Mounts it anew as read-only: nobody may have a file of it open for writing. */
  makeReadOnly(): void {
    run("mount", ["-o", "remount,ro", this.directory]);
  }

  makeWritable(): void {
    run("mount", ["-o", "remount,rw", this.directory]);
  }

  /** Lets the system find the disk broken: read-only from now on, for whatever is open too. Of `mountFailing` alone. */
  fail(): void {
    const device = execFileSync("findmnt", ["-n", "-o", "SOURCE", this.directory], { encoding: "utf8" });
    writeFileSync(`/sys/fs/ext4/${path.basename(device.trim())}/trigger_fs_error`, "a test");
  }

  /** What a command removes to make room. */
  get filler(): string {
    return this.#filling;
  }

  [Symbol.dispose](): void {
    run("umount", ["-l", this.directory]);
    rmdirSync(this.directory);
    if (this.#image !== undefined) unlinkSync(this.#image);
  }

  get #filling(): string {
    return path.join(this.directory, "filling");
  }

  get #names(): string {
    return path.join(this.directory, "names");
  }
}

function mountPoint(): string {
  return mkdtempSync(path.join(os.tmpdir(), "cmdop-disk-"));
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
}

function untilNoSpace(take: () => void): void {
  try {
    for (;;) take();
  } catch (thrown) {
    if (!isErrno(thrown, "ENOSPC")) throw thrown;
  }
}
