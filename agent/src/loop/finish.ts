import type { FinishReason } from "ai";
import type { Budget } from "./budget.ts";
import { failed } from "./failure.ts";

/** How an answer ended. */
export interface Finish {
  readonly reason: FinishReason;
  /** In the provider's own word; undefined where the stream just stopped. */
  readonly said: string | undefined;
}

/** An answer that was cut off is none, and none of its tools has run. */
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
      // Words of their own are how some servers end a whole answer.
      if (reason === "other" && said !== undefined && toolCalls === 0) return;
      throw new Error(said === undefined ? "its stream just stopped" : `it ended with ${said}`);
  }
}
