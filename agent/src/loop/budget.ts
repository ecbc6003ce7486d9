import { CmdopError, type RunUsage } from "@cmdop/proto";
import { LOOP_LIMITS } from "./limits.ts";
import type { RunRequest } from "./request.ts";

/** Every model that can hold a conversation can answer with as many. */
const SMALL_ANSWER_TOKENS = 4_096;

/** What a run may use, and what it has used. */
export class Budget {
  readonly #maxSteps: number;
  readonly #maxTokens: number;
  #steps = 0;
  #usage: RunUsage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
  /** Tools that the model has asked for. */
  toolCalls = 0;

  constructor({ maxSteps, maxTokens }: Pick<RunRequest, "maxSteps" | "maxTokens">) {
    this.#maxSteps = maxSteps || LOOP_LIMITS.defaultSteps;
    this.#maxTokens = maxTokens || LOOP_LIMITS.defaultTokens;
  }

  /** Calls of the model. */
  get steps(): number {
    return this.#steps;
  }

  get usage(): RunUsage {
    return this.#usage;
  }

  /**
   * How long one answer may be, in tokens: undefined until little is left, since
   * providers refuse a limit above their model's own. All of them take this one.
   */
  get answerTokens(): number | undefined {
    return this.tokensLeft <= SMALL_ANSWER_TOKENS ? this.tokensLeft : undefined;
  }

  /** Tokens that are left. */
  get tokensLeft(): number {
    return Math.max(0, this.#maxTokens - this.#usage.totalTokens);
  }

  /** One more call of the model; its number, from 1. @throws CmdopError BudgetSpent */
  beginStep(): number {
    if (this.#steps >= this.#maxSteps) {
      throw new CmdopError(
        "BudgetSpent",
        `The run has called the model ${this.#steps} times, its limit (maxSteps), and has not come to an end.`,
      );
    }
    if (this.tokensLeft === 0) throw this.outOfTokens();
    this.#steps += 1;
    return this.#steps;
  }

  count({ inputTokens, outputTokens, totalTokens }: RunUsage): void {
    const before = this.#usage;
    this.#usage = {
      inputTokens: before.inputTokens + inputTokens,
      outputTokens: before.outputTokens + outputTokens,
      totalTokens: before.totalTokens + totalTokens,
    };
  }

  outOfTokens(): CmdopError {
    return new CmdopError(
      "BudgetSpent",
      `The run has used ${this.#usage.totalTokens} tokens of its ${this.#maxTokens} (maxTokens), and has not come to an end.`,
    );
  }
}
