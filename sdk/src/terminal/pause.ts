import { onAbort } from "@cmdop/kit";
import type { CmdopError } from "@cmdop/proto";
import type { ReconnectPauses } from "../connection/reconnect.ts";

/** Timers can't be longer, in milliseconds: 24 days. */
export const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Growing pauses between attempts over a broken connection; they double. */
export class Pauses {
  readonly #bounds: ReconnectPauses;
  #nextMs: number;

  constructor(bounds: ReconnectPauses) {
    this.#bounds = bounds;
    this.#nextMs = bounds.firstPauseMs;
  }

  /** Waits, but not beyond the signal. */
  async wait(signal: AbortSignal): Promise<void> {
    const durationMs = this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, this.#bounds.maxPauseMs);
    if (signal.aborted) return;
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
    this.#nextMs = this.#bounds.firstPauseMs;
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
