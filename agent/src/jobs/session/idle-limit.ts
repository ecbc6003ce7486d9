import type { Journal } from "../journal/journal.ts";
import type { StopCause } from "../outcome.ts";

/** How often it is looked for viewers, at the most: one that comes and goes in between has hardly seen anything. */
const LONGEST_LOOK_MS = 1_000;

/** Ends a session that nobody has used for a while: no input, no viewer, no question. */
export class IdleLimit {
  readonly #limitMs: number;
  readonly #journal: Pick<Journal, "readers">;
  #lastUse = performance.now();

  /** 0 is no limit. */
  constructor(limitMs: number, journal: Pick<Journal, "readers">) {
    this.#limitMs = limitMs;
    this.#journal = journal;
  }

  /** It is used now. */
  used(): void {
    this.#lastUse = performance.now();
  }

  /** Calls `stop` when the time is over; the returned function ends the watch. */
  watch(stop: (cause: StopCause) => void): () => void {
    if (this.#limitMs === 0) return () => undefined;
    const reason = `Its idle limit of ${this.#limitMs} ms passed without input and without a viewer.`;
    const timer = setInterval(
      () => {
        if (this.#journal.readers > 0) this.used();
        if (performance.now() - this.#lastUse >= this.#limitMs) stop({ kind: "timed_out", reason });
      },
      Math.min(this.#limitMs, LONGEST_LOOK_MS),
    );
    return () => clearInterval(timer);
  }
}
