import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Counts the collections of the young part of the heap alone that were asked for while so much content passes. */
const script = (collects: boolean): string => `
  import { constants, PerformanceObserver } from "node:perf_hooks";
  import { collectYoungBuffers, noteContent } from ${JSON.stringify(new URL("./young-buffers.ts", import.meta.url).href)};
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      const { NODE_PERFORMANCE_GC_MINOR: minor, NODE_PERFORMANCE_GC_FLAGS_FORCED: forced } = constants;
      if (detail.kind === minor && (detail.flags & forced) !== 0) count += 1;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  if (${collects}) collectYoungBuffers();
  for (let megabytes = 0; megabytes < 400; megabytes++) noteContent(1024 * 1024);
  setTimeout(() => console.log(count), 100);
`;

it.each([
  [true, 25],
  [false, 0],
])(
  "young buffers are collected as content passes where the program wants it (%s)",
  async (collects, count) => {
    const args = ["--input-type=module", "--eval", script(collects)];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    // V8 would complain of a flag that it does not know.
    expect(stderr).toBe("");
    expect(Number(stdout)).toBe(count);
  },
);
