import { entryFile } from "../../entries.ts";
import { Shares } from "../../shares/shares.ts";
import { GaveUp, Thread } from "../../threads/thread.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { type Answer, isAnswer, type Question } from "./messages.ts";
import { type OutputSchema, unusableSchema } from "./output-schema.ts";

/** The result of reading an answer. */
export type Reading =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly errors: string };

/**
 * Checks callers' schemas, and models' answers against them, in a thread beside the agent's: one question at
 * a time, while the keys that ask take turns. A thread that misses its deadline is ended, and the next
 * question starts another. An idle thread is ended, too.
 */
export class Schemas {
  readonly #turns = new Shares({
    capacity: 1,
    what: "checks of output schemas",
    next: "Try again a little later.",
  });
  #thread: Thread<Answer> | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** Checks that answers can be checked against the schema. @throws CmdopError InvalidArgument, Canceled */
  async check(keyId: string, schema: OutputSchema, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask(keyId, { schema: schema.text, answer: undefined }, signal);
    if (answer instanceof GaveUp) throw unusableSchema(`its check ${answer.message}`, answer);
    if (answer.kind === "unusable") throw unusableSchema(answer.why);
  }

  /**
   * Reads a model's answer: JSON, which may stand among other words (json-values.ts).
   * @throws CmdopError InvalidArgument, Canceled
   */
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
    const thread =
      this.#thread ??
      new Thread({ entry: entryFile("schemas"), heapMiB: LOOP_LIMITS.schemaHeapMiB, isAnswer });
    this.#thread = thread;
    try {
      return await thread.ask(question, LOOP_LIMITS.schemaCheckMs, signal);
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
