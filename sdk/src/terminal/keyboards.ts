import { randomUUID } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { InputWriter } from "./input-writer.ts";

/** Jobs whose keyboards are remembered: each is small, but a program that types to ever new jobs must not grow for ever. */
const MAX_KEYBOARDS = 1_000;

/** How something is typed. */
export interface TypeOptions {
  /** No more input will follow. */
  readonly eof?: boolean | undefined;
  /** How long to go on over a lost connection, in milliseconds; 60,000 unless given. */
  readonly reconnectWindowMs?: number | undefined;
}

/** One job's input from this client: whoever types, it is one writer, so that nothing arrives twice or out of order. */
export class Keyboard {
  readonly #caller: MachineCaller;
  readonly #jobId: string;
  /** As of the last typing. */
  #reconnectWindowMs: number | undefined;
  #writer: InputWriter;
  #heardFrom = 0n;

  constructor(caller: MachineCaller, jobId: string) {
    this.#caller = caller;
    this.#jobId = jobId;
    this.#writer = this.#newWriter();
  }

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    return this.#writer.isIdle;
  }

  /** The journal offset behind which the answer to what was typed last is, or what was found last. */
  get heardFrom(): bigint {
    return this.#heardFrom;
  }

  /** Everything before this offset is settled. */
  heardUpTo(offset: bigint): void {
    if (offset > this.#heardFrom) this.#heardFrom = offset;
  }

  /** Types, and resolves when the job has accepted it. Throws as InputWriter.write does. */
  async type(data: Uint8Array, { eof = false, reconnectWindowMs }: TypeOptions = {}): Promise<void> {
    this.#reconnectWindowMs = reconnectWindowMs;
    // What a writer that failed had sent may have arrived, so its offsets are worth nothing any more.
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
   * A job's keyboard, always the same one; the one that was used least recently is forgotten.
   * @throws CmdopError LimitExceeded where all of them have input on its way
   */
  of(jobId: string): Keyboard {
    const keyboard = this.#ofJob.get(jobId) ?? new Keyboard(this.#caller, jobId);
    this.#ofJob.delete(jobId);
    if (this.#ofJob.size >= MAX_KEYBOARDS) this.#forgetOne();
    this.#ofJob.set(jobId, keyboard);
    return keyboard;
  }

  /** The job is over. */
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
