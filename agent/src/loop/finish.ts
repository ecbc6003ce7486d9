import type { FinishReason } from "ai";
import type { Budget } from "./budget.ts";
import { failed } from "./failure.ts";

/** The end of an answer. */
export interface Finish {
  readonly reason: FinishReason;
  /** The provider's own word for it; undefined if the stream ended without one. */
  readonly said: string | undefined;
}

/** Throws unless the answer is complete. None of the tools of an incomplete answer has run. */
export function checkFinish(budget: Budget, { reason, said }: Finish, toolCalls: number): void {
  switch (reason) {
    case "stop":
    case "tool-calls":
      return;
    case "length":
      if (budget.tokensLeft === 0) throw budget.outOfTokens();
      throw failed("The model's answer was cut off: it is longer than its provider allows.", {
        next: "Ask for less at once, or use a model that may say more.",
      });
    case "content-filter":
      throw failed("The model's provider withheld the answer (content filter).", {
        next: "Put the task in other words, or use another model.",
      });
    default:
      // Some servers end a complete answer with a word of their own.
      if (reason === "other" && said !== undefined && toolCalls === 0) return;
      throw new Error(said === undefined ? "its stream just stopped" : `it ended with ${said}`);
  }
}
