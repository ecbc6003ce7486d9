import v8 from "node:v8";
import vm from "node:vm";

/** Content after which the buffers that it came in are collected, in bytes: what comes, what it becomes and what goes are up to three times as much. */
const COLLECT_EVERY_BYTES = 16 * 1024 * 1024;

/**
 * How much the heap may grow until the whole of it is collected, in percent of
 * what was in use. V8 chooses as little as 10 for a program that makes few
 * objects and up to 300 for others, and counts content with the heap: at 200, a
 * heap of 20 MB is left alone while what comes between two collections does.
 */
const HEAP_GROWTH_PERCENT = 200;

let collectYoung: (() => void) | undefined;
let passedBytes = 0;

/**
 * Content comes in buffers that lie outside of V8's heap and are of no use a
 * moment later. V8 notices them late, and then collects its whole heap for
 * them: up to a half of the work of a process that content passes through. From
 * this call on, the young part of the heap is collected as often as content
 * passes, which takes a millisecond. For whole programs only: it sets flags of V8.
 */
export function collectYoungBuffers(): void {
  v8.setFlagsFromString("--expose-gc");
  v8.setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
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
