import { Backoff, onAbort } from "@cmdop/kit";
import { CmdopError, Jobs } from "@cmdop/proto";
import { isPassing, type MachineCaller, TokenRenewal } from "../connection/caller.ts";
import { clientClosed } from "../connection/channel.ts";
import { keepRunning } from "../connection/keep-running.ts";
import { type InputPiece, InputQueue } from "./input-queue.ts";

/** How long input is sent again over a lost connection, in milliseconds, unless the caller says otherwise: whoever types waits for it. */
const INPUT_WINDOW_MS = 60_000;

/** How long a stream that carries nothing is kept open for what comes next, in milliseconds: a person's pause between two words. */
const IDLE_STREAM_MS = 5_000;

const INPUT = "/cmdop.v1.Jobs/Input";

/** Whose input it is. */
export interface InputWriterOptions {
  readonly jobId: string;
  /** A UUID; offsets count per writer, and the machine trims what a writer sends twice. */
  readonly writerId: string;
  /** How long to go on over a lost connection, in milliseconds; INPUT_WINDOW_MS unless given. */
  readonly reconnectWindowMs?: number | undefined;
  /** Ends the writing: what was not accepted never will be. */
  readonly over?: AbortSignal | undefined;
}

/**
 * Writes a job's input at most once, over lost connections too: one stream for
 * as long as there is something to say, and after a loss all that was not
 * accepted again, from its offset. A writer that has failed writes nothing more.
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

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    return this.#queue.isEmpty;
  }

  /** Whether it writes nothing any more. */
  get hasFailed(): boolean {
    return this.#queue.failure !== undefined;
  }

  /** Resolves when the input has been queued; waits where too much is on its way. Throws what made the writer fail. */
  async queue(data: Uint8Array, eof = false): Promise<readonly InputPiece[]> {
    return await this.#queue.add(data, eof);
  }

  /**
   * Resolves when the job has accepted all of it, with its journal's end at that time.
   * @throws CmdopError OutcomeUnknown where it may have arrived or not; JobEnded, JobUnknown …
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
      // What came after the last look.
      if (!this.#queue.isEmpty) this.#send();
    });
  }

  /** Sends until everything has been accepted, or the writer has failed. Never rejects: the queue tells whoever writes. */
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

  /** One stream, to its end; whether it was we who ended it. */
  async #sendOnce(over: AbortSignal, onAccepted: () => void): Promise<boolean> {
    // Between two words nobody waits for the stream; whoever writes holds the program himself.
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
