import { writeFileSync } from "node:fs";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

/**
 * Preloaded into the processes of a soak: at SIGUSR2 the process collects its
 * garbage and writes how much memory it then needs to `DIRECTORY/PID.json`, the
 * directory being in this module's own address: `?directory=…`. Nothing of it is
 * part of the product.
 */
const directory = new URL(import.meta.url).searchParams.get("directory");
if (directory === null) throw new TypeError(`${import.meta.url} names no directory`);

if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  let asked = 0;
  process.on("SIGUSR2", () => {
    // Twice: what finalizers let go of is found by the second.
    for (let times = 0; times < 2; times += 1) if (typeof collect === "function") collect();
    const { rss, heapUsed, external } = process.memoryUsage();
    asked += 1;
    writeFileSync(
      path.join(directory, `${process.pid}.json`),
      JSON.stringify({ asked, rss, heapUsed, external }),
    );
  });
}
