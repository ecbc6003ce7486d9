/**
 * Messages between the agent and its schema thread. This file imports nothing, so that the thread starts
 * quickly.
 */

/** A request to check an answer against a schema or, without an answer, to check the schema itself. */
export interface Question {
  /** The schema as JSON. */
  readonly schema: string;
  /** The model's answer; undefined to check the schema alone. */
  readonly answer: string | undefined;
}

export type Answer =
  /** The thread has begun. */
  | { readonly kind: "ready" }
  /** The schema can be used. */
  | { readonly kind: "usable" }
  /** The schema can't be used. */
  | { readonly kind: "unusable"; readonly why: string }
  /** The answer matches: its value as JSON, with the schema's defaults. */
  | { readonly kind: "matches"; readonly output: string }
  /** The answer does not match, for these reasons. */
  | { readonly kind: "differs"; readonly errors: string };

export function isQuestion(message: unknown): message is Question {
  return typeof message === "object" && message !== null && "schema" in message && "answer" in message;
}

export function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && "kind" in message;
}
