import { CmdopError } from "@cmdop/proto";

/** How a check ended. A warning is something that works, but not for long or not for everything. */
export type Verdict = "ok" | "warning" | "failed";

/** One line of the doctor. */
export interface Finding {
  /** A fixed word, for programs: `relay`, `clock`, `disk`. */
  readonly check: string;
  readonly verdict: Verdict;
  readonly text: string;
  /** The remedy; always there unless the verdict is ok. */
  readonly next?: string | undefined;
}

export function ok(check: string, text: string): Finding {
  return { check, verdict: "ok", text };
}

export function warning(check: string, text: string, next: string): Finding {
  return { check, verdict: "warning", text, next };
}

export function failed(check: string, text: string, next: string): Finding {
  return { check, verdict: "failed", text, next };
}

/** A check that ended with an error, whose own words say it best. */
export function failedBy(check: string, thrown: unknown): Finding {
  const { message, next } = CmdopError.from(thrown);
  return failed(
    check,
    message,
    next ?? "Run the command again with CMDOP_LOG=debug, and read the agent's log.",
  );
}
