import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { mkdtemp, rmdir } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * A file system that never answers, as NFS whose server is gone: a real FUSE
 * mount of which nobody ever reads a request. Whoever touches it hangs in the
 * kernel until `release`. Needs root.
 */
export class DeadMount implements AsyncDisposable {
  /** Where it is mounted. Touching it hangs, so nothing in the test's own process may. */
  readonly directory: string;
  #fuse: number | undefined;

  private constructor(directory: string, fuse: number) {
    this.directory = directory;
    this.#fuse = fuse;
  }

  static async mount(): Promise<DeadMount> {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-dead-mount-"));
    const fuse = openSync("/dev/fuse", constants.O_RDWR);
    // No helper (-i): the descriptor is ours, the child's third.
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
    const mount = spawn("mount", ["-i", "-t", "fuse", "-o", options, "dead", directory], {
      stdio: ["ignore", "ignore", "inherit", fuse],
    });
    const [code] = await once(mount, "exit");
    if (code !== 0) {
      closeSync(fuse);
      await rmdir(directory);
      throw new Error(`mount exited with ${code}: these tests need root and /dev/fuse`);
    }
    return new DeadMount(directory, fuse);
  }

  /** Whoever hangs goes on, with an error (ENOTCONN): its server is gone for good. */
  release(): void {
    if (this.#fuse !== undefined) closeSync(this.#fuse);
    this.#fuse = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await run("umount", ["-l", this.directory]);
    await rmdir(this.directory);
  }
}
