import { isDiskTrouble, refusalOf } from "./disk.ts";
import { CmdopError } from "./errors/cmdop-error.ts";

/** The log of the agent, or of the relay. */
interface Log {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>): void;
}

/**
 * Shortest time between two log lines about the same trouble, in milliseconds: a full disk is met at every
 * write.
 */
const QUIET_MS = 60_000;

/** Interval of checks if the disk accepts writes again, in milliseconds. */
const RETRY_MS = 2_000;

/** Repeats failed writes; returns true if nothing is left to write. */
export type Retry = () => boolean;

/**
 * Keeps track of writes that the disk refuses. It logs the first one at once and later their number, at
 * intervals; tells the present trouble to those who ask; and calls all retries until everything is written.
 */
export class DiskTrouble {
  readonly #directory: string;
  readonly #log: Log;
  readonly #of = new Map<string, { saidAtMs: number; times: number }>();
  readonly #retries: Retry[] = [];
  #current = "";
  #retrying: NodeJS.Timeout | undefined;

  /** `directory`: the directory of the state. */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** The present trouble of the disk; empty if there is none. */
  get current(): string {
    return this.#current;
  }

  /** Adds a retry, which is called after trouble. */
  add(retry: Retry): void {
    this.#retries.push(retry);
  }

  /** Reports a failed write. `what`: one of a few fixed texts, because each is remembered. */
  report(what: string, error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    if (isDiskTrouble(error)) this.#expectEnd(words);
    const now = performance.now();
    const known = this.#of.get(what) ?? { saidAtMs: Number.NEGATIVE_INFINITY, times: 0 };
    known.times += 1;
    this.#of.set(what, known);
    if (now - known.saidAtMs < QUIET_MS) return;
    known.saidAtMs = now;
    this.#log.error("can't be kept on disk, only in memory: a restart forgets it", {
      what,
      error: words,
      times: known.times,
      next:
        error instanceof CmdopError
          ? error.next
          : "Free some space in CMDOP_HOME, and look at its permissions.",
    });
  }

  /** Stops the retries. */
  close(): void {
    clearInterval(this.#retrying);
    this.#retrying = undefined;
  }

  #expectEnd(words: string): void {
    this.#current = words;
    this.#retrying ??= setInterval(() => this.#tryAgain(), RETRY_MS).unref();
  }

  #tryAgain(): void {
    const refusal = refusalOf(this.#directory);
    if (refusal !== undefined) {
      this.#current = refusal.message;
      return;
    }
    // Every retry is called, whatever the others return.
    const left = this.#retries.filter((retry) => !retry());
    if (left.length > 0) return;
    this.close();
    this.#current = "";
    this.#of.clear();
    this.#log.info("the disk takes everything again", { directory: this.#directory });
  }
}
