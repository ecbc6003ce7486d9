import { Backoff, onAbort } from "@cmdop/kit";
import { CmdopError, Jobs } from "@cmdop/proto";
import { isPassing, type MachineCaller, TokenRenewal } from "../connection/caller.ts";
import { clientClosed } from "../connection/channel.ts";
import { keepRunning } from "../connection/keep-running.ts";
import { type InputPiece, InputQueue } from "./input-queue.ts";

/**
 * Default time that input is sent again across a lost connection, in milliseconds. A person who types waits
 * for it.
 */
const INPUT_WINDOW_MS = 60_000;

/**
 * Time that an idle stream stays open for the next input, in milliseconds: a person's pause between two
 * words.
 */
const IDLE_STREAM_MS = 5_000;

const INPUT = "/cmdop.v1.Jobs/Input";

/** Options of a writer. */
export interface InputWriterOptions {
  readonly jobId: string;
  /** The writer's UUID. Offsets count per writer, and the machine drops input that a writer sends twice. */
  readonly writerId: string;
  /** Longest time without a connection, in milliseconds; default INPUT_WINDOW_MS. */
  readonly reconnectWindowMs?: number | undefined;
  /** Ends the writing; input that was not accepted never will be. */
  readonly over?: AbortSignal | undefined;
}

/**
 * Writes a job's input at most once, across lost connections. It uses one stream as long as there is input,
 * and after a loss sends all input that was not accepted again, from its offset. A writer that has failed
 * writes nothing more.
 */
export class InputWriter {
  readonly #caller: MachineCaller;
  readonly #options: InputWriterOptions;
  readonly #queue = new InputQueue(() => this.#send());
  #isSending = false;

  constructor(caller: MachineCaller, options: InputWriterOptions) {
    this.#caller = caller;
    this.#options = options;
  }

  /** True if no input is under way. */
  get isIdle(): boolean {
    return this.#queue.isEmpty;
  }

  /** True if the writer has failed for good. */
  get hasFailed(): boolean {
    return this.#queue.failure !== undefined;
  }

  /**
   * Waits until the input is queued, which takes longer while too much is under way. Throws the writer's
   * failure.
   */
  async queue(data: Uint8Array, eof = false): Promise<readonly InputPiece[]> {
    return await this.#queue.add(data, eof);
  }

  /**
   * Waits until the job has accepted all of it, and returns its journal's end then.
   * @throws CmdopError OutcomeUnknown where the input may have arrived or not; JobEnded, JobUnknown …
   */
  async write(data: Uint8Array, eof = false): Promise<bigint> {
    const letGo = keepRunning();
    try {
      return await this.#write(data, eof);
    } finally {
      letGo();
    }
  }

  async #write(data: Uint8Array, eof: boolean): Promise<bigint> {
    const pieces = await this.queue(data, eof);
    let outputEnd = 0n;
    try {
      for (const piece of pieces) outputEnd = await this.#queue.accepted(piece);
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      const wasCutOff = isPassing(error) || this.#caller.transport.closed.aborted;
      if (!wasCutOff || !pieces.some(({ wasSent }) => wasSent)) throw error;
      const { jobId } = this.#options;
      throw new CmdopError(
        "OutcomeUnknown",
        `The connection ended while input was on its way to the job ${jobId}: ${error.message}`,
        {
          cause: error,
          next: "It may have arrived or not: look at the job's output before you send it again.",
        },
      );
    }
    return outputEnd;
  }

  #send(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#sendAll().finally(() => {
      this.#isSending = false;
      // Input may have come after the last check.
      if (!this.#queue.isEmpty) this.#send();
    });
  }

  /**
   * Sends until everything is accepted, or the writer has failed. Never rejects: the queue reports failures
   * to the writers.
   */
  async #sendAll(): Promise<void> {
    const { closed, reconnect } = this.#caller.transport;
    const over = new AbortController();
    const stopListening = [closed, this.#options.over].map((signal) => onAbort(signal, () => over.abort()));
    const pauses = new Backoff(reconnect);
    const renewal = new TokenRenewal(this.#caller.transport);
    let lostAtMs: number | undefined;
    while (!this.#queue.isEmpty) {
      try {
        const wasFinished = await this.#sendOnce(over.signal, () => {
          lostAtMs = undefined;
          pauses.reset();
          renewal.restore();
        });
        if (wasFinished) continue;
        throw new CmdopError("LinkLost", "The stream of the input ended before the input did.");
      } catch (thrown) {
        const error = this.#overError() ?? CmdopError.from(thrown);
        if (renewal.helps(error)) continue;
        lostAtMs ??= performance.now();
        const { reconnectWindowMs = INPUT_WINDOW_MS } = this.#options;
        const isTooLate = performance.now() - lostAtMs >= reconnectWindowMs;
        if (!isPassing(error) || isTooLate) this.#queue.fail(error);
        else await pauses.wait({ signal: over.signal });
      }
    }
    for (const stop of stopListening) stop();
  }

  /** Runs one stream to its end. Returns true if this side ended it. */
  async #sendOnce(over: AbortSignal, onAccepted: () => void): Promise<boolean> {
    // Between two inputs the stream does not keep the program running; a pending write does so itself.
    const options = { ...(await this.#caller.options(INPUT, { signal: over })), background: true };
    const streamOver = new AbortController();
    let wasFinished = false;
    const messages = async function* (queue: InputQueue, ids: { jobId: string; writerId: string }) {
      for await (const { offset, data, eof } of queue.toSend(streamOver.signal, IDLE_STREAM_MS)) {
        yield { ...ids, offset, data, eof };
      }
      wasFinished = true;
    };
    const { jobId, writerId } = this.#options;
    try {
      const answers = this.#caller.client(Jobs).input(messages(this.#queue, { jobId, writerId }), options);
      for await (const { accepted, outputEnd } of answers) {
        this.#queue.accept(accepted, outputEnd);
        onAccepted();
      }
      return wasFinished;
    } finally {
      streamOver.abort();
    }
  }

  #overError(): CmdopError | undefined {
    if (this.#caller.transport.closed.aborted) return clientClosed();
    return this.#options.over?.aborted
      ? new CmdopError("Canceled", "The input is not needed any more.")
      : undefined;
  }
}
