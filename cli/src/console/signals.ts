/**
 * The first SIGINT, SIGTERM or SIGHUP: aborts, so that the command ends cleanly. A second one ends the process at once;
 * `onSecond` has the last word. `outlivesTerminal`: SIGHUP is ignored, as a service's is.
 */
export function terminationSignal(
  onSecond: () => void = () => undefined,
  { outlivesTerminal = false }: { readonly outlivesTerminal?: boolean } = {},
): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (outlivesTerminal && name === "SIGHUP") return;
      if (controller.signal.aborted) {
        onSecond();
        process.exit(130);
      }
      controller.abort(name);
    });
  }
  return controller.signal;
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
