import { Worker } from "node:worker_threads";
import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";

/** How long a thread may take to begin, on a machine that has a lot to do. */
const THREAD_START_MS = 30_000;

/** Why a question has no answer: "took more than 2000 ms". */
export class GaveUp extends Error {}

/** How a thread is made. */
export interface ThreadOptions<A> {
  /** The file that it runs. It says anything once it has begun, and then one answer to each question. */
  readonly entry: string;
  readonly heapMiB: number;
  readonly isAnswer: (message: unknown) => message is A;
}

/**
 * A thread for what strangers can make long: it answers one question after the
 * other, and can be ended in the middle of one. It does not keep the process alive.
 */
export class Thread<A> {
  readonly #worker: Worker;
  readonly #begun = Promise.withResolvers<void>();
  /** Why it has ended, once it has. */
  #over: GaveUp | undefined;
  #waiting: PromiseWithResolvers<A> | undefined;

  constructor({ entry, heapMiB, isAnswer }: ThreadOptions<A>) {
    this.#worker = new Worker(entry, {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMiB },
    });
    this.#worker.once("message", () => {
      this.#begun.resolve();
      this.#worker.on("message", (message: unknown) => {
        if (isAnswer(message)) this.#waiting?.resolve(message);
      });
    });
    this.#worker.on("error", (error) => this.#ended(`failed: ${error.message}`));
    this.#worker.on("exit", () => this.#ended("failed: its thread ended"));
    this.#worker.unref();
  }

  /**
   * The answer, within so many milliseconds of the thread's begin. Where this
   * throws, the thread may be at work still: end it.
   * @throws GaveUp, or the reason of the signal as a CmdopError
   */
  async ask(question: unknown, limitMs: number, signal?: AbortSignal): Promise<A> {
    const waiting = Promise.withResolvers<A>();
    this.#waiting = waiting;
    const giveUp = (afterMs: number): NodeJS.Timeout =>
      setTimeout(() => waiting.reject(new GaveUp(`took more than ${Math.round(afterMs)} ms`)), afterMs);
    let timer = giveUp(THREAD_START_MS);
    const stopListening = onAbort(signal, () => waiting.reject(CmdopError.from(signal?.reason)));
    if (this.#over !== undefined) waiting.reject(this.#over);
    this.#worker.ref();
    try {
      await Promise.race([this.#begun.promise, waiting.promise]);
      clearTimeout(timer);
      timer = giveUp(limitMs);
      this.tell(question);
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      stopListening();
      this.#waiting = undefined;
      this.#worker.unref();
    }
  }

  /** Says something that has no answer. */
  tell(message: unknown): void {
    this.#worker.postMessage(message);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #ended(why: string): void {
    this.#over ??= new GaveUp(why);
    this.#waiting?.reject(this.#over);
  }
}
