import { onAbort, within } from "@cmdop/kit";
import { CmdopError, INPUT_CHUNK_BYTES } from "@cmdop/proto";

/**
 * Most input that the job has not accepted yet, in bytes and in pieces: a lost connection may have lost it,
 * so it is kept.
 */
const MAX_UNACCEPTED_BYTES = 1024 * 1024;
const MAX_UNACCEPTED_PIECES = 4096;

/** A piece of input on its way. */
export interface InputPiece {
  /** Number of bytes of this writer before the piece. */
  readonly offset: bigint;
  readonly data: Uint8Array;
  readonly eof: boolean;
  /** True if it was sent on a stream, so that it may have arrived. */
  wasSent: boolean;
  /** The journal's end when the job accepted it; undefined until then. */
  outputEnd: bigint | undefined;
}

/**
 * One writer's input under way. Writes fill it, streams send it as often as needed, and accepted pieces leave
 * it. It knows no connection.
 */
export class InputQueue {
  readonly #onPiece: () => void;
  #pieces: InputPiece[] = [];
  #acceptedPieces = 0;
  #queuedBytes = 0n;
  #unacceptedBytes = 0;
  #failure: CmdopError | undefined;
  #turn: Promise<void> = Promise.resolve();
  #changed = Promise.withResolvers<void>();

  /** `onPiece` is called for every piece to be sent. */
  constructor(onPiece: () => void) {
    this.#onPiece = onPiece;
  }

  /** True if the job has accepted everything. */
  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** The reason that nothing more will be accepted. */
  get failure(): CmdopError | undefined {
    return this.#failure;
  }

  /**
   * Appends input to the queue and returns its pieces. Waits while too much is not accepted yet. Throws
   * `failure`.
   */
  async add(data: Uint8Array, eof = false): Promise<readonly InputPiece[]> {
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    await before;
    try {
      const pieces: InputPiece[] = [];
      for (let from = 0; from < data.length || (from === 0 && eof); from += INPUT_CHUNK_BYTES) {
        await this.#room();
        const chunk = data.subarray(from, from + INPUT_CHUNK_BYTES);
        pieces.push(this.#push(chunk, eof && from + INPUT_CHUNK_BYTES >= data.length));
      }
      return pieces;
    } finally {
      turn.resolve();
    }
  }

  /**
   * Waits until the job has accepted a piece, and returns the journal's end then. Throws `failure` if it
   * never will.
   */
  async accepted(piece: InputPiece): Promise<bigint> {
    while (piece.outputEnd === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed.promise;
    }
    return piece.outputEnd;
  }

  /**
   * Yields the pieces for one stream: all that are not accepted, then new ones, until nothing was under way
   * for `idleMs`, or `over` aborts. Each stream begins anew, and its pieces are accepted in the order in
   * which they were sent.
   */
  async *toSend(over: AbortSignal, idleMs: number): AsyncGenerator<InputPiece, void, void> {
    const stopListening = onAbort(over, () => this.#notify());
    try {
      for (let next = this.#acceptedPieces; !over.aborted; ) {
        const piece = this.#pieces[next - this.#acceptedPieces];
        if (piece !== undefined) {
          piece.wasSent = true;
          next += 1;
          yield piece;
          if (piece.eof) return;
        } else if (!(await this.#changesWithin(idleMs)) && this.isEmpty) {
          return;
        }
      }
    } finally {
      stopListening();
    }
  }

  /**
   * Takes the job's answer to the oldest piece: the number of this writer's bytes that it has accepted, and
   * its journal's end then. Throws LinkLost if it has accepted less than the piece, because the stream is
   * then of no use.
   */
  accept(acceptedBytes: bigint, outputEnd: bigint): void {
    const piece = this.#pieces[0];
    if (piece === undefined || acceptedBytes < piece.offset + BigInt(piece.data.length)) {
      throw new CmdopError("LinkLost", `The job has accepted ${acceptedBytes} bytes of input, and stopped.`);
    }
    this.#pieces.shift();
    this.#acceptedPieces += 1;
    this.#unacceptedBytes -= piece.data.length;
    piece.outputEnd = outputEnd;
    this.#notify();
  }

  /** Fails all waiting and future writes. The first reason stays. */
  fail(failure: CmdopError): void {
    this.#failure ??= failure;
    this.#pieces = [];
    this.#notify();
  }

  #push(data: Uint8Array, eof: boolean): InputPiece {
    const piece = { offset: this.#queuedBytes, data, eof, wasSent: false, outputEnd: undefined };
    this.#pieces.push(piece);
    this.#queuedBytes += BigInt(data.length);
    this.#unacceptedBytes += data.length;
    this.#notify();
    this.#onPiece();
    return piece;
  }

  async #room(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const isFull = this.#unacceptedBytes >= MAX_UNACCEPTED_BYTES;
      if (!isFull && this.#pieces.length < MAX_UNACCEPTED_PIECES) return;
      await this.#changed.promise;
    }
  }

  async #changesWithin(durationMs: number): Promise<boolean> {
    const changed = this.#changed.promise.then(() => true);
    return (await within(changed, durationMs, { ref: false })) === true;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
