/**
 * Loaded into a process with `--import`: measures the longest turn of its event
 * loop, in processor time, so that a busy machine does not count as a stall.
 * On SIGUSR2 it appends the length to the file that METER_FILE names, and
 * begins anew.
 */
import { appendFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** How often it looks, in milliseconds: a turn is seen when it is longer than this. */
const LOOK_MS = 1;

const file = process.env.METER_FILE;

if (isMainThread && file !== undefined) {
  let before = usedMs();
  let longestMs = 0;
  setInterval(() => {
    const now = usedMs();
    longestMs = Math.max(longestMs, now - before);
    before = now;
  }, LOOK_MS).unref();
  process.on("SIGUSR2", () => {
    appendFileSync(file, `${longestMs}\n`);
    longestMs = 0;
    before = usedMs();
  });
}

/** Processor time of this thread, in milliseconds. */
function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
