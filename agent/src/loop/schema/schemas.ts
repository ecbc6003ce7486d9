import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { CmdopError, onAbort } from "@cmdop/proto";
import { Shares } from "../../shares/shares.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { type Answer, isAnswer, type Question } from "./messages.ts";
import { type OutputSchema, unusableSchema } from "./output-schema.ts";

/** Beside us, as source or as built. */
const ENTRY = join(import.meta.dirname, `schema-thread${extname(import.meta.filename)}`);

/** What an answer came to. */
export type Reading =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly errors: string };

/**
 * Checks schemas of callers, and answers of models against them, in a thread
 * beside the agent's: one question at a time, while the keys that ask take turns.
 * A thread that misses its deadline is ended, and the next question begins
 * another; one that nobody asks any more ends by itself.
 */
export class Schemas {
  readonly #turns = new Shares({
    capacity: 1,
    what: "checks of output schemas",
    next: "Try again a little later.",
  });
  #thread: Thread | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** Resolves where answers can be checked against the schema. @throws CmdopError InvalidArgument, Canceled */
  async check(keyId: string, schema: OutputSchema, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask(keyId, { schema: schema.text, answer: undefined }, signal);
    if (answer instanceof GaveUp) throw unusableSchema(`its check ${answer.message}`, answer);
    if (answer.kind === "unusable") throw unusableSchema(answer.why);
  }

  /** Reads an answer of a model: JSON, also in a code fence. @throws CmdopError InvalidArgument, Canceled */
  async read(keyId: string, schema: OutputSchema, text: string, signal: AbortSignal): Promise<Reading> {
    const answer = await this.#ask(keyId, { schema: schema.text, answer: text }, signal);
    if (answer instanceof GaveUp) return { ok: false, errors: `Its check ${answer.message}.` };
    if (answer.kind === "unusable") throw unusableSchema(answer.why);
    if (answer.kind === "matches") return { ok: true, output: JSON.parse(answer.output) };
    return { ok: false, errors: answer.kind === "differs" ? answer.errors : "It was not checked." };
  }

  async #ask(keyId: string, question: Question, signal: AbortSignal): Promise<Answer | GaveUp> {
    using _ = await this.#turns.enter(keyId, signal);
    clearTimeout(this.#idle);
    const thread = this.#thread ?? new Thread();
    this.#thread = thread;
    try {
      return await thread.ask(question, signal);
    } catch (thrown) {
      this.#thread = undefined;
      await thread.end();
      if (thrown instanceof GaveUp) return thrown;
      throw thrown;
    } finally {
      this.#idle = setTimeout(() => this.#rest(), LOOP_LIMITS.schemaThreadIdleMs).unref();
    }
  }

  #rest(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    void thread?.end();
  }
}

/** Why a question has no answer: "took more than 2000 ms". */
class GaveUp extends Error {}

/** A thread that answers one question after the other. */
class Thread {
  readonly #worker: Worker;
  readonly #ready: Promise<Answer>;
  /** Why it has ended, once it has. */
  #over: GaveUp | undefined;
  /** Tells whoever waits for it. */
  #tellEnd: (why: GaveUp) => void = () => undefined;
  #waiting = Promise.withResolvers<Answer>();

  constructor() {
    this.#ready = this.#waiting.promise;
    this.#worker = new Worker(ENTRY, {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: LOOP_LIMITS.schemaHeapMiB },
    });
    this.#worker.on("message", (message: unknown) => {
      if (isAnswer(message)) this.#waiting.resolve(message);
    });
    this.#worker.on("error", (error) => this.#ended(`failed: ${error.message}`));
    this.#worker.on("exit", () => this.#ended("failed: its thread ended"));
    // While nobody asks, it keeps the agent from nothing.
    this.#worker.unref();
  }

  async ask(question: Question, signal: AbortSignal): Promise<Answer> {
    this.#worker.ref();
    try {
      await this.#within(this.#ready, LOOP_LIMITS.schemaThreadStartMs, signal);
      this.#waiting = Promise.withResolvers<Answer>();
      this.#worker.postMessage(question);
      return await this.#within(this.#waiting.promise, LOOP_LIMITS.schemaCheckMs, signal);
    } finally {
      this.#worker.unref();
    }
  }

  #ended(why: string): void {
    this.#over ??= new GaveUp(why);
    this.#tellEnd(this.#over);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  async #within(answer: Promise<Answer>, limitMs: number, signal: AbortSignal): Promise<Answer> {
    if (this.#over !== undefined) throw this.#over;
    const over = Promise.withResolvers<never>();
    this.#tellEnd = over.reject;
    const timer = setTimeout(() => over.reject(new GaveUp(`took more than ${limitMs} ms`)), limitMs);
    const stopListening = onAbort(signal, () => over.reject(CmdopError.from(signal.reason)));
    try {
      return await Promise.race([answer, over.promise]);
    } finally {
      clearTimeout(timer);
      stopListening();
      this.#tellEnd = () => undefined;
    }
  }
}
