/** How a command ended; exactly one of these, never a guess. */
export type OutcomeName = "exited" | "signaled" | "timed_out" | "canceled" | "failed_to_start" | "unknown";

/** Options of a command. */
export interface ExecOptions {
  /** Working directory on the machine; the home of the user that jobs run as unless given. `~` expands. */
  readonly cwd?: string | undefined;
  /** Added to the machine's allow-listed environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Standard input; end of file at once unless given. */
  readonly stdin?: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined;
  /** The command's own time limit in milliseconds, kept by the machine; none unless given. */
  readonly timeoutMs?: number | undefined;
  /** Aborting cancels the command on the machine and waits for its outcome. */
  readonly signal?: AbortSignal | undefined;
  /** The job's name, a UUID; made up unless given. The same id never runs twice. */
  readonly jobId?: string | undefined;
  /** How long to go on after a lost connection, in milliseconds, before the outcome is `unknown`; 60,000 unless given. */
  readonly reconnectWindowMs?: number | undefined;
}

/** Options of `execute`. */
export interface ExecuteOptions extends ExecOptions {
  /** Bytes of output kept in the result, both channels together: the first ones; 64 MiB unless given. */
  readonly maxOutputBytes?: number | undefined;
  /** True throws ExecError unless the command exited with 0. */
  readonly check?: boolean | undefined;
}

/** How a command ended. */
export interface ExecEnd {
  readonly jobId: string;
  readonly outcome: OutcomeName;
  /** 0 to 255; null unless `exited`. */
  readonly exitCode: number | null;
  /** The signal that ended it, where one did. */
  readonly signal: string | null;
  /** Why, where the outcome alone does not say it; otherwise empty. */
  readonly reason: string;
  /** From spawn to end, on the machine. */
  readonly durationMs: number;
}

/** What is missing from a result's output. */
export interface Truncation {
  /** Bytes that came after maxOutputBytes was reached. */
  readonly overLimitBytes: number;
  /** Bytes that the machine dropped because nobody was reading. */
  readonly droppedByMachineBytes: number;
}

/** A finished command. */
export interface ExecResult extends ExecEnd {
  /** As UTF-8; invalid bytes become U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** The bytes as they came. */
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** False when the output is whole. */
  readonly truncated: false | Truncation;
}

/** One event of a running command. */
export type ExecEvent =
  | { readonly type: "started"; readonly jobId: string; readonly pid: number; readonly attached: boolean }
  | { readonly type: "stdout" | "stderr"; readonly data: Uint8Array; readonly offset: bigint }
  | { readonly type: "dropped"; readonly bytes: bigint }
  | ({ readonly type: "ended" } & ExecEnd);
