import { isDiskTrouble, refusalOf } from "./disk.ts";
import { CmdopError } from "./errors/cmdop-error.ts";

/** Where it says so: the log of the agent, or of the relay. */
interface Log {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Between two lines about the same trouble, in milliseconds: a full disk is met at every write. */
const QUIET_MS = 60_000;

/** Between two looks whether the disk takes something again, in milliseconds. */
const RETRY_MS = 2_000;

/** Does again what could not be done; true where nothing is left to do. */
export type Retry = () => boolean;

/**
 * What can't be written to disk. Says so in the log, the first time at once, then
 * how often it happened, now and then; knows it for whoever asks; and has everybody try again until all of it is written.
 */
export class DiskTrouble {
  readonly #directory: string;
  readonly #log: Log;
  readonly #of = new Map<string, { saidAtMs: number; times: number }>();
  readonly #retries: Retry[] = [];
  #current = "";
  #retrying: NodeJS.Timeout | undefined;

  /** `directory`: where the state is. */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** What the disk does not take now; empty while it takes everything. */
  get current(): string {
    return this.#current;
  }

  /** From now on this is tried whenever there was trouble. */
  add(retry: Retry): void {
    this.#retries.push(retry);
  }

  /** `what`: a few fixed words, since each is remembered. */
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

  /** Tries no more. */
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
    // Each of them, whatever the others say.
    const left = this.#retries.filter((retry) => !retry());
    if (left.length > 0) return;
    this.close();
    this.#current = "";
    this.#of.clear();
    this.#log.info("the disk takes everything again", { directory: this.#directory });
  }
}
