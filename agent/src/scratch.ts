import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

/**
 * Where sockets and pipes are made that lose their names at once: memory where there is such a place. A disk may be full,
 * and TMPDIR may name a mount that does not answer, which would keep the whole agent waiting.
 */
export const SCRATCH_DIRECTORY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
