import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Memory rather than disk, where there is such a place: standard input may be a password. */
const DIRECTORY = process.platform === "linux" ? "/dev/shm" : tmpdir();

/**
 * Standard input that is known beforehand, as a descriptor of a file without a
 * name, to be closed when the process has it. Unlike Node's pipes (sockets) it
 * can be opened by name (`cat /dev/stdin`), and nothing waits for a process
 * that does not read. Undefined where no such file can be made.
 */
export function stdinFile(bytes: Uint8Array): number | undefined {
  const path = join(DIRECTORY, `cmdop-stdin-${randomUUID()}`);
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    return openSync(path, constants.O_RDONLY);
  } catch (error) {
    // Full, read-only or missing: a pipe does it as well, but for the name.
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  } finally {
    if (file !== undefined) closeSync(file);
    rmSync(path, { force: true });
  }
}
