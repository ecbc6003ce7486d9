import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** How long something that must happen may take before the test fails, in milliseconds. */
const WAIT_LIMIT_MS = 30_000;

/** Waits until a condition holds that no event announces. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  limitMs = WAIT_LIMIT_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still not so after ${limitMs} ms: ${condition}`);
    await sleep(20);
  }
}

/** Whether a process exists and is not a zombie: in a container there may be nobody to reap it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    // pid (name) state …; the name may contain anything.
    return !/\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ESRCH" || code === "ENOENT") return false;
    throw error;
  }
}
