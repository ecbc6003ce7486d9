import { onAbort } from "@cmdop/kit";

/** Resolves after a time, or when the signal aborts. */
export async function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeMs);
  const stopListening = onAbort(signal, resolve);
  await promise;
  stopListening();
  clearTimeout(timer);
}
