import type { Log } from "../log.ts";

/** Between two lines about the same trouble, in milliseconds: a full disk is met at every write. */
const QUIET_MS = 60_000;

/** Says what can't be written to disk: the first time at once, then how often it happened, now and then. */
export class DiskTrouble {
  readonly #log: Log;
  readonly #of = new Map<string, { saidAtMs: number; times: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `what`: a few fixed words, since each is remembered. */
  report(what: string, error: unknown): void {
    const now = performance.now();
    const known = this.#of.get(what) ?? { saidAtMs: Number.NEGATIVE_INFINITY, times: 0 };
    known.times += 1;
    this.#of.set(what, known);
    if (now - known.saidAtMs < QUIET_MS) return;
    known.saidAtMs = now;
    this.#log.error("can't be kept on disk, only in memory: a restart of the agent forgets it", {
      what,
      error: error instanceof Error ? error.message : String(error),
      times: known.times,
      next: "Free some space in the agent's home, and look at its permissions.",
    });
  }
}
