import { type CmdopError, onAbort } from "@cmdop/proto";

/** Pauses between two attempts to come back, in milliseconds; they double. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

/** Growing pauses between attempts over a broken connection. */
export class Pauses {
  #nextMs = FIRST_PAUSE_MS;

  /** Waits, but not beyond the signal. */
  async wait(signal: AbortSignal): Promise<void> {
    const durationMs = this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, MAX_PAUSE_MS);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopListening();
        resolve();
      };
      const timer = setTimeout(done, durationMs);
      const stopListening = onAbort(signal, done);
    });
  }

  /** The connection is good again: the next pause is the first. */
  reset(): void {
    this.#nextMs = FIRST_PAUSE_MS;
  }
}

/** Whether an error says only that the way is closed for now, and nothing of the job. */
export function isPassing(error: CmdopError): boolean {
  return (
    error.code === "LinkLost" ||
    error.code === "RelayUnreachable" ||
    error.code === "MachineOffline" ||
    error.code === "LimitExceeded"
  );
}
