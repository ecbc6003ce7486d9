/** How a job ended. There is no default that could be mistaken for success. Durations run from the spawn to the end. */
export type Outcome =
  | { readonly kind: "exited"; readonly exitCode: number; readonly durationMs: number }
  | { readonly kind: "signaled"; readonly signal: string; readonly durationMs: number }
  | {
      readonly kind: StopCause["kind"];
      readonly reason: string;
      /** The signal that ended the process, where it did not end by itself when asked. */
      readonly signal: string | undefined;
      readonly durationMs: number;
    }
  | { readonly kind: "failed_to_start" | "unknown"; readonly reason: string; readonly durationMs: number };

/** Why we ended a job. */
export interface StopCause {
  readonly kind: "timed_out" | "canceled";
  readonly reason: string;
}
