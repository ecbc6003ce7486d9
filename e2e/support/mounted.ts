import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Something mounted on a directory, which is made; unmounted at the end. Needs root. */
export async function mounted(directory: string, args: readonly string[]): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true });
  await run("mount", [...args, directory]);
  return {
    async [Symbol.asyncDispose]() {
      await run("umount", [directory]);
    },
  };
}
