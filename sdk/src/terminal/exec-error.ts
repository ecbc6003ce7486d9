import { commandText } from "./start-request.ts";
import type { ExecCommand, ExecResult, JobEnd, OutcomeName, Truncation } from "./types.ts";

/** Longest quotation of stderr in an ExecError, in characters. */
const QUOTED_STDERR_CHARS = 500;

/**
 * Error for a command that did not exit with 0, thrown with `check: true`. It has all fields of the result.
 */
export class ExecError extends Error implements ExecResult {
  readonly status = "done";
  readonly jobId: string;
  readonly outcome: OutcomeName;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string;
  readonly durationMs: number;
  readonly shell: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  readonly truncated: false | Truncation;

  constructor(command: ExecCommand, result: ExecResult) {
    super(describe(command, result));
    this.name = "ExecError";
    this.jobId = result.jobId;
    this.outcome = result.outcome;
    this.exitCode = result.exitCode;
    this.signal = result.signal;
    this.reason = result.reason;
    this.durationMs = result.durationMs;
    this.shell = result.shell;
    this.stdout = result.stdout;
    this.stderr = result.stderr;
    this.stdoutBytes = result.stdoutBytes;
    this.stderrBytes = result.stderrBytes;
    this.truncated = result.truncated;
  }

  /** Returns the fields for JSON, with the message, which JSON omits from other errors. */
  toJSON(): object {
    return { ...this, message: this.message };
  }
}

/** Describes the end of a command in words: `exited with 3`. */
export function describeEnd(end: Pick<JobEnd, "outcome" | "exitCode" | "signal" | "reason">): string {
  const reason = end.reason === "" ? "" : `: ${end.reason.replace(/\.$/, "")}`;
  switch (end.outcome) {
    case "exited":
      return `exited with ${end.exitCode}`;
    case "signaled":
      return `was ended by ${end.signal}`;
    case "timed_out":
      return "ran into its time limit";
    case "canceled":
      return `was canceled${reason}`;
    case "failed_to_start":
      return `failed to start${reason}`;
    case "completed":
      return "has completed";
    case "failed":
      return `failed${reason}`;
    case "unknown":
      return `has an unknown outcome${reason}`;
  }
}

function describe(command: ExecCommand, result: ExecResult): string {
  const line = commandText(command);
  const stderr = result.stderr.trimEnd().slice(-QUOTED_STDERR_CHARS);
  return `${JSON.stringify(line)} ${describeEnd(result)}${stderr === "" ? "" : `\n${stderr}`}`;
}
