import type { StopCause } from "./outcome.ts";

/**
 * Asks for a job's end when its own time limit has passed (0 means none), or the
 * machine's, whichever comes first. The returned function stops the watch.
 */
export function watchTime(
  timeoutMs: number,
  maxJobMs: number | undefined,
  stop: (cause: StopCause) => void,
): () => void {
  const own = timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
  const most = maxJobMs ?? Number.POSITIVE_INFINITY;
  const limitMs = Math.min(own, most);
  if (limitMs === Number.POSITIVE_INFINITY) return () => undefined;
  const reason =
    own <= most
      ? `Its time limit of ${own} ms passed.`
      : `This machine's policy gives a job ${most} ms (limits.maxJobMs), and these passed.`;
  const timer = setTimeout(() => stop({ kind: "timed_out", reason }), limitMs);
  return () => clearTimeout(timer);
}
