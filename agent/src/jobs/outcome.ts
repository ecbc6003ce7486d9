import { z } from "zod";

/** Durations run from the spawn to the end. */
const durationMs = z.number();
const reason = z.string();

/** How a job ended. There is no default that could be mistaken for success. Checked, since it is read back from disk. */
export const outcomeSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("exited"), exitCode: z.int(), durationMs }),
  z.object({ kind: z.literal("signaled"), signal: z.string(), durationMs }),
  z.object({
    kind: z.enum(["timed_out", "canceled"]),
    reason,
    /** The signal that ended the process, where it did not end by itself when asked. */
    signal: z.string().optional(),
    durationMs,
  }),
  z.object({ kind: z.enum(["failed_to_start", "unknown"]), reason, durationMs }),
  // Of runs only: they have an answer, or none.
  z.object({ kind: z.literal("completed"), durationMs }),
  z.object({ kind: z.literal("failed"), reason, durationMs }),
]);
export type Outcome = Readonly<z.infer<typeof outcomeSchema>>;

/** Why we ended a job. */
export interface StopCause {
  readonly kind: "timed_out" | "canceled";
  readonly reason: string;
}
