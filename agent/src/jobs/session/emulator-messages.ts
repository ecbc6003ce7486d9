import type { Screen, Text } from "./emulator.ts";
import type { TerminalSize } from "./request.ts";

/** What is asked of the thread that emulates terminals, each of which has a number. To `close` it answers nothing. */
export type Question = { readonly id: number } & (
  | { readonly kind: "open" | "resize"; readonly size: TerminalSize }
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  | { readonly kind: "screen" }
  | { readonly kind: "text"; readonly maxLines: number }
  | { readonly kind: "close" }
);

export type Answer =
  | { readonly kind: "done" }
  | { readonly kind: "screen"; readonly screen: Screen }
  | { readonly kind: "text"; readonly text: Text }
  | { readonly kind: "failed"; readonly why: string };

export function isQuestion(message: unknown): message is Question {
  return typeof message === "object" && message !== null && "kind" in message && "id" in message;
}

export function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && "kind" in message;
}
