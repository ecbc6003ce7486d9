/** What is said between the agent and its thread for schemas. It imports nothing: the thread begins quickly. */

/** Checks an answer against a schema; without an answer, whether the schema can be used. */
export interface Question {
  /** JSON. */
  readonly schema: string;
  /** The model's words. */
  readonly answer: string | undefined;
}

export type Answer =
  /** The thread has begun. */
  | { readonly kind: "ready" }
  /** The schema can be used. */
  | { readonly kind: "usable" }
  /** It can't. */
  | { readonly kind: "unusable"; readonly why: string }
  /** What the answer says, as JSON: with the schema's defaults. */
  | { readonly kind: "matches"; readonly output: string }
  /** What is wrong with the answer. */
  | { readonly kind: "differs"; readonly errors: string };

export function isQuestion(message: unknown): message is Question {
  return typeof message === "object" && message !== null && "schema" in message && "answer" in message;
}

export function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && "kind" in message;
}
