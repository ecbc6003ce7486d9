import v8 from "node:v8";
import vm from "node:vm";

/** Content after which the buffers that it came in are collected, in bytes. */
const COLLECT_EVERY_BYTES = 40 * 1024 * 1024;

let collectYoung: (() => void) | undefined;
let passedBytes = 0;

/**
 * Content comes in buffers that lie outside of V8's heap and are of no use a
 * moment later. V8 notices them late, and then collects its whole heap for
 * them: a third of the work of a process that content passes through. From this
 * call on, the young part of the heap is collected as often as content passes,
 * which takes a millisecond. For whole programs only: it sets a flag of V8.
 */
export function collectYoungBuffers(): void {
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("gc");
  if (typeof collect !== "function") return;
  collectYoung = () => void collect({ type: "minor" });
}

/** Tells of content that came. */
export function noteContent(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < COLLECT_EVERY_BYTES) return;
  passedBytes = 0;
  collectYoung?.();
}
