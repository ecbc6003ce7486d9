import type { Readable } from "node:stream";
import type { Journal } from "../journal/journal.ts";
import type { Channel } from "../journal/journal-records.ts";
import type { JobLimits } from "../limits.ts";

type Limits = Pick<JobLimits, "pipeQuietMs" | "maxPipeRestBytes">;

interface Pipe {
  readonly channel: Channel;
  readonly stream: Readable;
  /** Bytes that came after the process had ended. */
  restBytes: number;
  done: boolean;
}

/** Carries the two pipes of a process into its journal, in the order of arrival, as fast as the journal takes it. */
export class Output {
  readonly #journal: Journal;
  readonly #limits: Limits;
  readonly #pipes: readonly Pipe[];
  readonly #finished = Promise.withResolvers<void>();
  #paused = false;
  #resting = false;
  #arrivals = 0;
  #quiet: NodeJS.Timeout | undefined;

  constructor(streams: Readonly<Record<"stdout" | "stderr", Readable>>, journal: Journal, limits: Limits) {
    this.#journal = journal;
    this.#limits = limits;
    this.#pipes = (["stdout", "stderr"] as const).map((channel) => ({
      channel,
      stream: streams[channel],
      restBytes: 0,
      done: false,
    }));
    for (const pipe of this.#pipes) {
      pipe.stream.on("data", (bytes: Uint8Array) => this.#arrived(pipe, bytes));
      pipe.stream.once("end", () => this.#done(pipe));
      pipe.stream.once("close", () => this.#done(pipe));
      // A pipe that fails closes, and that is all there is to know.
      pipe.stream.once("error", () => this.#done(pipe));
    }
    journal.onRoom = () => this.#resume();
  }

  /**
   * Resolves when everything that the process wrote before its end is in the
   * journal: both pipes ended; or, where background children hold them, they
   * were quiet for a while, or gave more than could have been in them at the
   * end. From here on the journal's bound is no obstacle: what comes is bounded,
   * and an end must not wait for a reader. Pipes still open are returned.
   */
  async rest(): Promise<Readable[]> {
    this.#resting = true;
    this.#resume();
    this.#settle();
    if (this.#pipes.some(({ done }) => !done)) this.#awaitQuiet();
    await this.#finished.promise;
    clearTimeout(this.#quiet);
    return this.#pipes
      .map(({ stream }) => stream)
      .filter((stream) => !stream.destroyed && !stream.readableEnded);
  }

  #arrived(pipe: Pipe, bytes: Uint8Array): void {
    if (pipe.done) return;
    this.#journal.append(pipe.channel, bytes);
    this.#arrivals += 1;
    if (this.#resting) {
      pipe.restBytes += bytes.length;
      if (pipe.restBytes > this.#limits.maxPipeRestBytes) this.#done(pipe);
    } else if (this.#journal.full) {
      this.#paused = true;
      for (const { stream } of this.#pipes) stream.pause();
    }
  }

  #resume(): void {
    if (!this.#paused || (this.#journal.full && !this.#resting)) return;
    this.#paused = false;
    for (const { stream } of this.#pipes) stream.resume();
  }

  #done(pipe: Pipe): void {
    pipe.done = true;
    this.#settle();
  }

  #settle(): void {
    if (this.#resting && this.#pipes.every(({ done }) => done)) this.#finished.resolve();
  }

  #awaitQuiet(): void {
    const before = this.#arrivals;
    // What was written before the end was read before the end was noticed, or
    // lies behind what a resumed pipe brings at once: only children still write.
    this.#quiet = setTimeout(() => {
      if (this.#arrivals === before) this.#finished.resolve();
      else this.#awaitQuiet();
    }, this.#limits.pipeQuietMs);
  }
}
