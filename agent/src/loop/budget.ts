import { CmdopError, type RunUsage } from "@cmdop/proto";
import { LOOP_LIMITS } from "./limits.ts";
import type { RunRequest } from "./request.ts";

/** A limit for one answer, in tokens, that the provider of every current model accepts. */
const SMALL_ANSWER_TOKENS = 4_096;

/** A run's limits on model calls and tokens, and its use of both so far. */
export class Budget {
  readonly #maxSteps: number;
  readonly #maxTokens: number;
  #steps = 0;
  #usage: RunUsage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
  /** Number of tool calls that the model has asked for. */
  toolCalls = 0;

  constructor({ maxSteps, maxTokens }: Pick<RunRequest, "maxSteps" | "maxTokens">) {
    this.#maxSteps = maxSteps || LOOP_LIMITS.defaultSteps;
    this.#maxTokens = maxTokens || LOOP_LIMITS.defaultTokens;
  }

  /** Number of model calls so far. */
  get steps(): number {
    return this.#steps;
  }

  get usage(): RunUsage {
    return this.#usage;
  }

  /**
   * The limit for the next answer, in tokens. Undefined until few tokens are left, because providers refuse a
   * limit above their model's own; SMALL_ANSWER_TOKENS is below every model's limit.
   */
  get answerTokens(): number | undefined {
    return this.tokensLeft <= SMALL_ANSWER_TOKENS ? this.tokensLeft : undefined;
  }

  /** Number of tokens that the run may still use. */
  get tokensLeft(): number {
    return Math.max(0, this.#maxTokens - this.#usage.totalTokens);
  }

  /** Counts one more model call and returns its number, from 1. @throws CmdopError BudgetSpent */
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
