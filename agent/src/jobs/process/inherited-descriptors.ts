import { closeSync, readdirSync, readFileSync } from "node:fs";
import { isErrno } from "@cmdop/kit";

/** The first descriptor that is not one of the standard three. */
const FIRST = 3;

/** Linux's O_CLOEXEC, as /proc/PID/fdinfo shows it. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes what this process was handed beyond its three standard descriptors, so
 * that nothing it starts gets it. Node opens all of its own with O_CLOEXEC, and
 * marks what it inherits so, but only up to the first gap: a descriptor 200 of
 * the agent's parent would go to every job. Linux only; elsewhere it does nothing.
 */
export function closeInheritedDescriptors(): void {
  if (process.platform !== "linux") return;
  for (const descriptor of readdirSync("/proc/self/fd").map(Number)) {
    if (descriptor >= FIRST && isInherited(descriptor)) closeSync(descriptor);
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch (error) {
    // The one that the list itself was read with.
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
