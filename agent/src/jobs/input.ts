import type { Writable } from "node:stream";
import { onAbort } from "@cmdop/kit";
import { CmdopError, INPUT_CHUNK_BYTES } from "@cmdop/proto";

/** A piece of standard input. Offsets count per writer. */
export interface InputPiece {
  readonly writerId: string;
  /** How many bytes this writer sent before `data`. */
  readonly offset: bigint;
  readonly data: Uint8Array;
  /** No more input will follow, from any writer. */
  readonly eof: boolean;
}

/**
 * The standard input of a process. Pieces are taken one at a time, and the next
 * one only when the process (or its pipe) has taken the one before. A piece that
 * comes again is trimmed by what its writer has sent already.
 */
export class JobInput {
  /** Undefined when the process is gone: what was accepted is remembered for longer. */
  #stream: Writable | undefined;
  readonly #maxWriters: number;
  readonly #acceptedOf = new Map<string, bigint>();
  #turn: Promise<void>;
  #ended = false;
  #failure: Error | undefined;

  /** `first` is written at once; unless `open`, end of file follows. */
  constructor(stream: Writable, options: { first: Uint8Array; open: boolean; maxWriters: number }) {
    this.#stream = stream;
    this.#maxWriters = options.maxWriters;
    // A process that does not read its input (EPIPE) is no failure of the job; later writers are told.
    stream.on("error", (error) => {
      this.#failure = error;
    });
    this.#turn = options.first.length > 0 ? this.#written(options.first) : Promise.resolve();
    if (!options.open) this.#end();
  }

  /**
   * Takes a piece and answers how many bytes of this writer have been accepted.
   * Where the signal aborts first, the answer comes at once.
   * @throws CmdopError InputGap, JobEnded (nobody reads any more), LimitExceeded, MessageTooLarge
   */
  async take({ writerId, offset, data, eof }: InputPiece, signal?: AbortSignal): Promise<bigint> {
    if (data.length > INPUT_CHUNK_BYTES) {
      throw new CmdopError(
        "MessageTooLarge",
        `A piece of input may have ${INPUT_CHUNK_BYTES} bytes at most, not ${data.length}.`,
        { next: "Send it in smaller pieces." },
      );
    }
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    await before;
    let written = Promise.resolve();
    try {
      // A stream that was lost while it waited must not write behind its writer's back.
      if (signal?.aborted) return this.#accepted(writerId);
      written = this.#accept(writerId, offset, data, eof);
    } finally {
      // Also where the stream is lost meanwhile: one piece at a time is what bounds the memory.
      written.then(turn.resolve);
    }
    const aborted = Promise.withResolvers<void>();
    const stopListening = onAbort(signal, aborted.resolve);
    await Promise.race([written, aborted.promise]).finally(stopListening);
    return this.#accepted(writerId);
  }

  /** The process is gone. */
  close(): void {
    this.#ended = true;
    this.#stream?.destroy();
    this.#stream = undefined;
  }

  #accept(writerId: string, offset: bigint, data: Uint8Array, eof: boolean): Promise<void> {
    const accepted = this.#accepted(writerId);
    if (offset > accepted) {
      throw new CmdopError(
        "InputGap",
        `Input of writer ${writerId} goes on at ${offset}, but only ${accepted} bytes of it were accepted: some were lost on the way.`,
      );
    }
    const known = accepted - offset;
    const fresh = known < BigInt(data.length) ? data.subarray(Number(known)) : new Uint8Array();
    if (fresh.length === 0 && !eof) return Promise.resolve();
    if (fresh.length > 0) this.#checkReader(accepted);
    if (!this.#acceptedOf.has(writerId) && this.#acceptedOf.size >= this.#maxWriters) {
      throw new CmdopError("LimitExceeded", `A job takes input from ${this.#maxWriters} writers at most.`, {
        next: "Keep the writer id over reconnects.",
      });
    }
    this.#acceptedOf.set(writerId, accepted + BigInt(fresh.length));
    const written = fresh.length > 0 ? this.#written(fresh) : Promise.resolve();
    if (eof && !this.#ended) this.#end();
    return written;
  }

  #checkReader(accepted: bigint): void {
    if (!this.#ended && this.#failure === undefined && this.#stream?.writable) return;
    throw new CmdopError(
      "JobEnded",
      this.#ended
        ? `Standard input has been closed; ${accepted} bytes of this writer were accepted.`
        : `The command has closed its standard input; ${accepted} bytes of this writer were accepted.`,
      { next: "Send no more input; the job's outcome comes with its events.", cause: this.#failure },
    );
  }

  #accepted(writerId: string): bigint {
    return this.#acceptedOf.get(writerId) ?? 0n;
  }

  /** Resolves when the pipe has taken the bytes, or will never take them. */
  #written(bytes: Uint8Array): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return Promise.resolve();
    return new Promise((resolve) => stream.write(bytes, () => resolve()));
  }

  #end(): void {
    this.#ended = true;
    this.#stream?.end();
  }
}
