import { setTimeout as sleep } from "node:timers/promises";
import { CmdopError, type ErrorCode, mayHaveRun } from "@cmdop/proto";
import type { Transport } from "../../connection/transport.ts";
import type { Turn } from "./line.ts";
import type { LinkWatch } from "./link-watch.ts";
import type { Machine } from "./machine.ts";

/** How long a transfer tries to go on without a single byte of progress, in milliseconds: a relay or an agent that restarts is back by then. */
const RESUME_WINDOW_MS = 60_000;

/** What passes, besides the break of a call that was under way. */
const PASSING: readonly ErrorCode[] = ["RelayUnreachable", "MachineOffline"];

/** Waits between attempts to go on after a cut, and gives up when nothing has moved for too long. */
export class Patience {
  readonly #transport: Transport;
  readonly #link: LinkWatch;
  readonly #signal: AbortSignal | undefined;
  readonly #turn: Turn | undefined;
  #pauseMs: number;
  #movedAtMs = performance.now();

  /** `turn`: given up while it waits, and taken again. */
  constructor({ caller, link }: Machine, signal: AbortSignal | undefined, turn?: Turn) {
    this.#transport = caller.transport;
    this.#link = link;
    this.#signal = signal;
    this.#turn = turn;
    this.#pauseMs = this.#transport.reconnect.firstPauseMs;
  }

  /** Something arrived. */
  moved(): void {
    this.#link.back();
    this.#movedAtMs = performance.now();
    this.#pauseMs = this.#transport.reconnect.firstPauseMs;
  }

  /** Pauses after a failure that may pass; throws every other, and this one when it has lasted too long. */
  async after(thrown: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    const error = CmdopError.from(thrown);
    const isOver = performance.now() - this.#movedAtMs > RESUME_WINDOW_MS;
    const passes = PASSING.includes(error.code) || mayHaveRun(error);
    if (!passes || isOver || this.#transport.closed.aborted) throw error;
    this.#link.lost();
    this.#turn?.lost();
    await sleep(this.#pauseMs, undefined, { signal: this.#signal });
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#transport.reconnect.maxPauseMs);
    // While others had their turn, nothing was tried.
    if (await this.#turn?.begin(this.#signal)) this.#movedAtMs = performance.now();
  }

  /** Tries until it works, while what fails may pass. */
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
