import type { LineMatch } from "./line-matcher.ts";

/** What the matching thread is started with. */
export interface Settings {
  readonly source: string;
  readonly flags: string;
  readonly contextLines: number;
}

/** What it is asked: to match the next piece of a file, or for more of what that piece gives. */
export type Question =
  | {
      readonly kind: "piece";
      readonly bytes: Uint8Array;
      /** The file begins, or ends, with this piece. */
      readonly first: boolean;
      readonly last: boolean;
    }
  | { readonly kind: "more" };

/** What a piece gives. */
export interface Found {
  readonly kind: "found";
  readonly matches: readonly LineMatch[];
  /** There is more of this piece: ask for it. */
  readonly more: boolean;
  readonly binary: boolean;
  readonly longLine: boolean;
}

/** What it answers, once to each question, and once when it has begun. */
export type Answer =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly message: string }
  | Found;

/** Both ends are ours, of one version: only what it is has to be asked. */
export function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && "source" in value && "flags" in value;
}

export function isQuestion(value: unknown): value is Question {
  return hasKind(value) && (value.kind === "piece" || value.kind === "more");
}

export function isAnswer(value: unknown): value is Answer {
  return hasKind(value) && (value.kind === "ready" || value.kind === "failed" || value.kind === "found");
}

function hasKind(value: unknown): value is { kind: unknown } {
  return typeof value === "object" && value !== null && "kind" in value;
}
