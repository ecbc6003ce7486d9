import { CmdopError, Exec, INPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { isPassing, Pauses } from "./pause.ts";

/** Input that has been read from its source but not accepted by the job yet: what a lost connection may have lost. */
const MAX_UNACCEPTED_BYTES = 1024 * 1024;

const INPUT = "/cmdop.v1.Exec/Input";

/**
 * Feeds a job's standard input from an iterable, to its end, over lost
 * connections too: what the job has not accepted is sent again from its
 * offset, and the machine trims what it had. Ends quietly when `over` aborts or the
 * job has ended; throws what the source throws.
 */
export async function feedInput(
  caller: MachineCaller,
  jobId: string,
  source: AsyncIterable<string | Uint8Array>,
  over: AbortSignal,
): Promise<void> {
  const input = new PendingInput(jobId, over);
  await Promise.all([input.fill(source), send(caller, input, over)]);
}

async function send(caller: MachineCaller, input: PendingInput, over: AbortSignal): Promise<void> {
  const pauses = new Pauses();
  while (!over.aborted) {
    try {
      const options = await caller.options(INPUT, { signal: over });
      for await (const { accepted } of caller.client(Exec).input(input.messages(), options)) {
        input.accept(accepted);
        pauses.reset();
      }
      if (input.done) return;
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      // A job that has ended, or closed its input, takes no more: its outcome says all there is to say.
      if (over.aborted || error.code === "JobEnded" || error.code === "JobUnknown") return;
      if (!isPassing(error)) throw error;
    }
    await pauses.wait(over);
  }
}

interface Piece {
  readonly offset: bigint;
  readonly data: Uint8Array;
  readonly eof: boolean;
}

/** The input that is under way: filled from the source, emptied by what the job accepts, sent as often as need be. */
class PendingInput {
  readonly #jobId: string;
  readonly #over: AbortSignal;
  #pieces: Piece[] = [];
  #readBytes = 0n;
  #acceptedBytes = 0n;
  #changed = Promise.withResolvers<void>();
  #eofSent = false;

  constructor(jobId: string, over: AbortSignal) {
    this.#jobId = jobId;
    this.#over = over;
    over.addEventListener("abort", () => this.#notify(), { once: true });
  }

  /** Whether the job has accepted everything, its end included. */
  get done(): boolean {
    return this.#eofSent && this.#pieces.every(({ data }) => data.length === 0);
  }

  /** Reads the source to its end, at the job's pace. */
  async fill(source: AsyncIterable<string | Uint8Array>): Promise<void> {
    for await (const piece of source) {
      const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
      for (let from = 0; from < bytes.length; from += INPUT_CHUNK_BYTES) {
        while (this.#readBytes - this.#acceptedBytes >= MAX_UNACCEPTED_BYTES && !this.#over.aborted) {
          await this.#changed.promise;
        }
        if (this.#over.aborted) return;
        this.#add(bytes.subarray(from, from + INPUT_CHUNK_BYTES), false);
      }
    }
    this.#add(new Uint8Array(), true);
  }

  /** Everything that has not been accepted, then what comes. One sender at a time; each begins anew. */
  async *messages() {
    // Every writer of a job sends the same input, so the job's id will do: a second Start of the job feeds nothing twice.
    const ids = { jobId: this.#jobId, writerId: this.#jobId };
    let next = this.#acceptedBytes;
    while (!this.#over.aborted) {
      const piece = this.#pieces.find(
        ({ offset, data, eof }) => offset + BigInt(data.length) > next || (eof && offset === next),
      );
      if (piece === undefined) {
        await this.#changed.promise;
        continue;
      }
      yield { ...ids, offset: piece.offset, data: piece.data, eof: piece.eof };
      next = piece.offset + BigInt(piece.data.length);
      if (!piece.eof) continue;
      this.#eofSent = true;
      return;
    }
  }

  /** The job has taken everything before this offset. */
  accept(accepted: bigint): void {
    if (accepted <= this.#acceptedBytes) return;
    this.#acceptedBytes = accepted;
    this.#pieces = this.#pieces.filter(
      ({ offset, data, eof }) => eof || offset + BigInt(data.length) > accepted,
    );
    this.#notify();
  }

  #add(data: Uint8Array, eof: boolean): void {
    this.#pieces.push({ offset: this.#readBytes, data, eof });
    this.#readBytes += BigInt(data.length);
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
