import v8 from "node:v8";
import vm from "node:vm";

/** Content after which the buffers that it came in are collected, in bytes. */
const COLLECT_EVERY_BYTES = 32 * 1024 * 1024;

/** The V8 whose flags these are (Node 24's): another would complain of what it does not know. */
const KNOWN_V8 = "13.";

/** Buffers count towards the limit of all memory, not of the small old heap: V8 need not collect that for them. */
const COUNT_BUFFERS_APART = "--external-memory-accounted-in-global-limit";

let collectYoung: (() => void) | undefined;
let passedBytes = 0;

/**
 * Content comes in buffers that lie outside of V8's heap and are of no use a
 * moment later. V8 notices them late, and then collects its whole heap for
 * them: a third of the work of a process that content passes through. From this
 * call on, the young part of the heap is collected as often as content passes,
 * which takes a millisecond. For whole programs only: it sets flags of V8.
 */
export function collectYoungBuffers(): void {
  if (process.versions.v8.startsWith(KNOWN_V8)) v8.setFlagsFromString(COUNT_BUFFERS_APART);
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
