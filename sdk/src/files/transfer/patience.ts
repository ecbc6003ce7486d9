import { Backoff } from "@cmdop/kit";
import { CmdopError, type ErrorCode, mayHaveRun } from "@cmdop/proto";
import type { Transport } from "../../connection/transport.ts";
import { RECONNECT_WINDOW_MS } from "../../terminal/follow.ts";
import type { Turn } from "./line.ts";
import type { LinkWatch } from "./link-watch.ts";
import type { Machine } from "./machine.ts";

/** How long a transfer goes on without a single byte of progress, in milliseconds: as long as a job is followed. A machine that is started anew is back by then. */
const RESUME_WINDOW_MS = RECONNECT_WINDOW_MS;

/** The same while the machine has not been reached at all: nothing is under way that would be worth the wait. */
const FIRST_WINDOW_MS = 10_000;

/** What passes, besides the break of a call that was under way. */
const PASSING: readonly ErrorCode[] = ["RelayUnreachable", "MachineOffline"];

/** Waits between attempts to go on after a cut, and gives up when nothing has moved for too long. */
export class Patience {
  readonly #transport: Transport;
  readonly #link: LinkWatch;
  readonly #signal: AbortSignal | undefined;
  readonly #turn: Turn | undefined;
  readonly #pauses: Backoff;
  #movedAtMs = performance.now();

  /** `turn`: given up while it waits, and taken again. */
  constructor({ caller, link }: Machine, signal: AbortSignal | undefined, turn?: Turn) {
    this.#transport = caller.transport;
    this.#link = link;
    this.#signal = signal;
    this.#turn = turn;
    this.#pauses = new Backoff(this.#transport.reconnect);
  }

  /** Something arrived. */
  moved(): void {
    this.#link.back();
    this.#movedAtMs = performance.now();
    this.#pauses.reset();
  }

  /** Pauses after a failure that may pass; throws every other, and this one when it has lasted too long. */
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
