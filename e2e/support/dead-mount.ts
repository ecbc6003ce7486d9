import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";

/**
 * A mounted filesystem that never answers, as one over a network whose server is
 * gone: FUSE, with nobody who reads its requests. Disposed it is gone, and what
 * hangs in it fails.
 */
export class DeadMount implements AsyncDisposable {
  readonly path: string;
  #descriptor: number | undefined;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** Mounts it in a directory, which is made. */
  static async at(path: string): Promise<DeadMount> {
    await mkdir(path, { recursive: true });
    const descriptor = openSync("/dev/fuse", "r+");
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0";
    // Internal only: there is no helper, and none is needed.
    await run("mount", ["-i", "-t", "fuse", "-o", options, "dead", path], descriptor);
    return new DeadMount(path, descriptor);
  }

  /** Its server ends: from now on everything on it fails at once. */
  fail(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail();
    await run("umount", ["-l", this.path]);
  }
}

async function run(program: string, args: readonly string[], descriptor?: number): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit", descriptor ?? "ignore"] });
  const [code]: unknown[] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} exited with ${String(code)}`);
}
