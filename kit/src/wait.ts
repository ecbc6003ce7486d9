import { onAbort } from "./abort.ts";

/** A timer can't be longer, in milliseconds: Node fires a longer one at once. 24 days. */
export const LONGEST_TIMER_MS = 0x7fff_ffff;

/** How a wait behaves. */
export interface WaitOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the wait keeps the process alive. Default: true. */
  readonly ref?: boolean | undefined;
}

/**
 * Waits. False where the signal ended the wait, and where it had aborted before.
 * `durationMs` is at most LONGEST_TIMER_MS; a longer one waits for that long.
 */
export function pause(durationMs: number, { signal, ref = true }: WaitOptions = {}): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (signal?.aborted) return Promise.resolve(false);
  const end = (isWhole: boolean): void => {
    clearTimeout(timer);
    stopListening();
    resolve(isWhole);
  };
  const timer = setTimeout(end, bounded(durationMs), true);
  if (!ref) timer.unref();
  const stopListening = onAbort(signal, () => end(false));
  return promise;
}

/**
 * The value of a promise, or undefined where the time is over or the signal
 * aborts first: the promise is then left to itself, and its failure is not
 * reported as unhandled. Throws what the promise throws in time.
 */
export async function within<T>(
  promise: Promise<T>,
  limitMs: number,
  { signal, ref = true }: WaitOptions = {},
): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, bounded(limitMs));
  if (!ref) timer.unref();
  const stopListening = onAbort(signal, giveUp);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

function bounded(durationMs: number): number {
  return Math.min(Math.max(durationMs, 0), LONGEST_TIMER_MS);
}
