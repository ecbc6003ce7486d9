import { CmdopError } from "@cmdop/sdk";
import type { ToolContext } from "./tool.ts";

/** How taking from a stream ended: it did itself, its taker had enough, or time was up. */
export type Gathered = "whole" | "full" | "late";

/**
 * Takes from a stream until `take` says no. A search can last longer than a
 * client waits, and what was found by then must not be lost with its call: so
 * it ends in time by itself.
 */
export async function gather<T>(
  stream: (signal: AbortSignal) => AsyncIterable<T>,
  take: (item: T) => boolean,
  { over, timings }: Pick<ToolContext, "over" | "timings">,
): Promise<Gathered> {
  const late = AbortSignal.timeout(timings.waitMs);
  try {
    for await (const item of stream(AbortSignal.any([over, late]))) if (!take(item)) return "full";
    return "whole";
  } catch (thrown) {
    if (late.aborted && !over.aborted && CmdopError.from(thrown).code === "Canceled") return "late";
    throw thrown;
  }
}
