import type { Writable } from "node:stream";

/** Waits until a writable takes more, or will never again: it closed, failed, or the signal aborted. */
export function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || stream.destroyed || !stream.writableNeedDrain) {
      resolve();
      return;
    }
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      stream.off("error", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
    stream.once("error", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
