import { randomUUID } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { InputWriter } from "./input-writer.ts";

/**
 * Most keyboards that are remembered. Each is small, but a program that types into ever new jobs must not
 * grow for ever.
 */
const MAX_KEYBOARDS = 1_000;

/** Options of typing. */
export interface TypeOptions {
  /** True sends end of file behind it. */
  readonly eof?: boolean | undefined;
  /** Longest time without a connection, in milliseconds; default 60,000. */
  readonly reconnectWindowMs?: number | undefined;
}

/**
 * One job's input from this client. All callers share one writer, so that nothing arrives twice or out of
 * order.
 */
export class Keyboard {
  readonly #caller: MachineCaller;
  readonly #jobId: string;
  /** The window of the last call of `type`. */
  #reconnectWindowMs: number | undefined;
  #writer: InputWriter;
  #heardFrom = 0n;

  constructor(caller: MachineCaller, jobId: string) {
    this.#caller = caller;
    this.#jobId = jobId;
    this.#writer = this.#newWriter();
  }

  /** True if no input is under way. */
  get isIdle(): boolean {
    return this.#writer.isIdle;
  }

  /** The journal offset behind which the answer to the last typed input, or to the last match, comes. */
  get heardFrom(): bigint {
    return this.#heardFrom;
  }

  /** Moves `heardFrom` forward: output before this offset is no longer of interest. */
  heardUpTo(offset: bigint): void {
    if (offset > this.#heardFrom) this.#heardFrom = offset;
  }

  /** Types, and waits until the job has accepted it. Throws as InputWriter.write does. */
  async type(data: Uint8Array, { eof = false, reconnectWindowMs }: TypeOptions = {}): Promise<void> {
    this.#reconnectWindowMs = reconnectWindowMs;
    // Input of a failed writer may have arrived, so its offsets are of no use any more.
    if (this.#writer.hasFailed) this.#writer = this.#newWriter();
    this.heardUpTo(await this.#writer.write(data, eof));
  }

  #newWriter(): InputWriter {
    const windowMs = (): number | undefined => this.#reconnectWindowMs;
    return new InputWriter(this.#caller, {
      jobId: this.#jobId,
      writerId: randomUUID(),
      get reconnectWindowMs() {
        return windowMs();
      },
    });
  }
}

/** The keyboards of one machine's jobs. */
export class Keyboards {
  readonly #caller: MachineCaller;
  readonly #ofJob = new Map<string, Keyboard>();

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /**
   * Returns a job's keyboard, always the same one. The one used least recently is forgotten.
   * @throws CmdopError LimitExceeded where all of them have input under way
   */
  of(jobId: string): Keyboard {
    const keyboard = this.#ofJob.get(jobId) ?? new Keyboard(this.#caller, jobId);
    this.#ofJob.delete(jobId);
    if (this.#ofJob.size >= MAX_KEYBOARDS) this.#forgetOne();
    this.#ofJob.set(jobId, keyboard);
    return keyboard;
  }

  /** Forgets the keyboard of a job that has ended. */
  forget(jobId: string): void {
    this.#ofJob.delete(jobId);
  }

  #forgetOne(): void {
    for (const [jobId, keyboard] of this.#ofJob) {
      if (!keyboard.isIdle) continue;
      this.#ofJob.delete(jobId);
      return;
    }
    throw new CmdopError("LimitExceeded", `Input is on its way to ${MAX_KEYBOARDS} jobs at once.`, {
      next: "Wait until some of it has been accepted.",
    });
  }
}
