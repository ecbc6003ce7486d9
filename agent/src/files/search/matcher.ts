import { Worker } from "node:worker_threads";
import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { entryFile } from "../../entries.ts";
import { MATCHING_HEAP_MIB, MAX_MATCHING_MS, MAX_PATTERN_BYTES } from "../place/limits.ts";
import { shown } from "../place/path.ts";
import { type Answer, type Found, isAnswer, type Question, type Settings } from "./messages.ts";

/** Flags that mean something for single lines. */
const FLAGS = /^[isu]*$/;

/** How long a thread may take to begin on a machine that has a lot to do. */
const MAX_START_MS = 30_000;

/** A regular expression in a thread of its own, which is ended when an answer takes too long. */
export class Matcher implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  #waiting: PromiseWithResolvers<Answer> | undefined;

  private constructor(settings: Settings, signal: AbortSignal) {
    this.#settings = settings;
    this.#signal = signal;
    this.#worker = new Worker(entryFile("matching"), {
      workerData: settings,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MATCHING_HEAP_MIB },
    });
    this.#worker.on("message", (message: unknown) => {
      if (isAnswer(message)) this.#waiting?.resolve(message);
    });
    this.#worker.on("error", (error) => this.#waiting?.reject(this.#broken(error.message)));
    this.#worker.on("exit", () => this.#waiting?.reject(this.#broken("its thread ended")));
  }

  /** Starts the thread. Throws InvalidArgument for what is no regular expression. */
  static async start(settings: Settings, signal: AbortSignal): Promise<Matcher> {
    const { source, flags } = settings;
    if (!FLAGS.test(flags)) throw invalid(source, `its flags ${shown(flags)} are not of i, s and u`);
    if (Buffer.byteLength(source) > MAX_PATTERN_BYTES) {
      throw invalid(source, `it is longer than ${MAX_PATTERN_BYTES} bytes`);
    }
    await using stack = new AsyncDisposableStack();
    const matcher = stack.use(new Matcher(settings, signal));
    const answer = await matcher.#answered(MAX_START_MS);
    if (answer.kind === "failed") throw invalid(source, answer.message);
    stack.move();
    return matcher;
  }

  /** What the next piece of a file gives. `more` says to go on with `more()`. */
  piece(piece: Uint8Array, { first, last }: { first: boolean; last: boolean }): Promise<Found> {
    // A buffer of its own, to be given away.
    const bytes = new Uint8Array(piece);
    return this.#ask({ kind: "piece", bytes, first, last }, [bytes.buffer]);
  }

  /** More of what the piece before gives. */
  more(): Promise<Found> {
    return this.#ask({ kind: "more" }, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting = undefined;
    await this.#worker.terminate();
  }

  async #ask(question: Question, transfer: ArrayBuffer[]): Promise<Found> {
    const answered = this.#answered(MAX_MATCHING_MS);
    this.#worker.postMessage(question, transfer);
    const answer = await answered;
    if (answer.kind === "found") return answer;
    throw this.#broken(answer.kind === "failed" ? answer.message : "its thread answered out of turn");
  }

  async #answered(limitMs: number): Promise<Answer> {
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting = waiting;
    const timer = setTimeout(() => waiting.reject(this.#broken(`it took more than ${limitMs} ms`)), limitMs);
    const stopListening = onAbort(this.#signal, () =>
      waiting.reject(new CmdopError("Canceled", "The caller left before the search was done.")),
    );
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      stopListening();
    }
  }

  #broken(why: string): CmdopError {
    return new CmdopError(
      "LimitExceeded",
      `The regular expression ${shown(this.#settings.source)} could not be matched: ${why}.`,
      { next: "Simplify it: repetitions inside of repetitions, as in (a+)+, can take for ever." },
    );
  }
}

function invalid(source: string, why: string): CmdopError {
  return new CmdopError("InvalidArgument", `The regular expression ${shown(source)} can't be used: ${why}.`, {
    next: "Give a JavaScript regular expression without slashes around it; escape what is meant literally.",
  });
}
