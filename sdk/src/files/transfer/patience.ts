import { Backoff } from "@cmdop/kit";
import { CmdopError, type ErrorCode, mayHaveRun, RECONNECT_WINDOW_MS } from "@cmdop/proto";
import type { Transport } from "../../connection/transport.ts";
import type { Turn } from "./line.ts";
import type { LinkWatch } from "./link-watch.ts";
import type { Machine } from "./machine.ts";

/**
 * Longest time that a transfer continues without progress, in milliseconds: as long as a job is followed. A
 * machine that restarts is back by then.
 */
const RESUME_WINDOW_MS = RECONNECT_WINDOW_MS;

/**
 * The same before the machine was reached at all, when no transfer is under way that would be worth the wait.
 */
const FIRST_WINDOW_MS = 10_000;

/** Errors that may pass, besides a call that broke off on its way. */
const PASSING: readonly ErrorCode[] = ["RelayUnreachable", "MachineOffline"];

/**
 * Waits between attempts to continue after a lost connection, and gives up after too long without progress.
 */
export class Patience {
  readonly #transport: Transport;
  readonly #link: LinkWatch;
  readonly #signal: AbortSignal | undefined;
  readonly #turn: Turn | undefined;
  readonly #pauses: Backoff;
  #movedAtMs = performance.now();

  /** `turn`: is given up during the pause, and taken again. */
  constructor({ caller, link }: Machine, signal: AbortSignal | undefined, turn?: Turn) {
    this.#transport = caller.transport;
    this.#link = link;
    this.#signal = signal;
    this.#turn = turn;
    this.#pauses = new Backoff(this.#transport.reconnect);
  }

  /** Reports progress. */
  moved(): void {
    this.#link.back();
    this.#movedAtMs = performance.now();
    this.#pauses.reset();
  }

  /** Pauses after a failure that may pass. Throws any other failure, and one that has lasted too long. */
  async after(thrown: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    const error = CmdopError.from(thrown);
    const isBroken = mayHaveRun(error);
    const windowMs = isBroken || this.#link.wasReached ? RESUME_WINDOW_MS : FIRST_WINDOW_MS;
    const isOver = performance.now() - this.#movedAtMs > windowMs;
    const passes = PASSING.includes(error.code) || isBroken;
    if (!passes || isOver || this.#transport.closed.aborted) throw error;
    this.#link.lost(isBroken);
    this.#turn?.lost();
    if (!(await this.#pauses.wait({ signal: this.#signal }))) this.#signal?.throwIfAborted();
    // The wait for other files' turns does not count, since nothing was tried.
    if (await this.#turn?.begin(this.#signal)) this.#movedAtMs = performance.now();
  }

  /** Tries again until it succeeds, as long as the failures may pass. */
  async until<T>(tryOnce: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await tryOnce();
        this.#link.back();
        return result;
      } catch (thrown) {
        await this.after(thrown);
      }
    }
  }
}
