/**
 * Runs `action` when the signal aborts, at once if it already has. The returned
 * function takes the listener away again; every caller must call it, or a
 * long-lived signal collects listeners.
 */
export function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    action();
    return () => undefined;
  }
  signal.addEventListener("abort", action, { once: true });
  return () => signal.removeEventListener("abort", action);
}
