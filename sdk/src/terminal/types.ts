import type { ErrorCode } from "@cmdop/proto";
import type { OnWaiting } from "../connection/waiting.ts";

/** The outcome of a command, which is never guessed. */
export type OutcomeName = "exited" | "signaled" | "timed_out" | "canceled" | "failed_to_start" | "unknown";

/**
 * The outcome of a job of any kind: an agent's run is `completed` with its answer, or `failed` without one.
 */
export type JobOutcomeName = OutcomeName | "completed" | "failed";

/**
 * The command to run: a line for a shell, or a program with its arguments. Strings are taken literally; bytes
 * are for names that are not UTF-8, such as `pathBytes` of a name that `files.list` returned.
 */
export type ExecCommand = string | Uint8Array | readonly (string | Uint8Array)[];

/** The details of a connection that was lost while a job was followed. */
export interface LinkLoss {
  /**
   * `MachineOffline` if the relay says that the machine is offline; else the error that keeps the connection
   * down: `LinkLost`, `RelayUnreachable` …
   */
  readonly code: ErrorCode;
  /** The same in words. */
  readonly message: string;
  /** Start of the loss, in milliseconds since 1970 by this computer's clock. */
  readonly sinceMs: number;
  /** Time that reconnecting is tried, in milliseconds; time in which this computer sleeps does not count. */
  readonly reconnectWindowMs: number;
}

/** Callback for a connection that is lost while a job is followed, and for its return: once each. */
export type OnLink = (state: "lost" | "back", loss?: LinkLoss) => void;

/** Callbacks on the connection to the machine while a job is followed. */
export interface LinkListeners {
  /** Called when the connection is lost, and when the job is followed again. */
  readonly onLink?: OnLink | undefined;
  /** Called once in each loss if the relay says that the machine is offline; the job may still run there. */
  readonly onOffline?: ((loss: LinkLoss) => void) | undefined;
}

/** Options of a command. */
export interface ExecOptions extends LinkListeners {
  /** Working directory on the machine; default the home of the user that jobs run as. `~` expands. */
  readonly cwd?: string | undefined;
  /**
   * The shell of a line, only with a string: an absolute path, or one of the names sh, bash, zsh, ksh, dash,
   * ash. Default is the login shell of the user that jobs run as, if it is one of these, else /bin/sh.
   */
  readonly shell?: string | undefined;
  /**
   * True uses the environment that an interactive login shell has after reading its profile (with the PATH
   * entries of nvm, pyenv or cargo, say); a failing profile gives `failed_to_start`. The default is in the
   * machine's policy.
   */
  readonly login?: boolean | undefined;
  /** Variables added to the environment that the machine gives its jobs; they take precedence. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Standard input; default is end of file at once. */
  readonly stdin?: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined;
  /** True keeps standard input open after `stdin` for `terminal.sendStdin`, which ends it with `eof`. */
  readonly stdinOpen?: boolean | undefined;
  /** The command's time limit in milliseconds, enforced by the machine; default none. */
  readonly timeoutMs?: number | undefined;
  /** Aborting cancels the command on the machine and waits for its outcome. */
  readonly signal?: AbortSignal | undefined;
  /** The job's id, a UUID; random by default. The same id never runs twice. */
  readonly jobId?: string | undefined;
  /**
   * Longest time without a connection, in milliseconds, before the outcome is `unknown`; default 15 minutes,
   * enough for a laptop's sleep or a restart.
   */
  readonly reconnectWindowMs?: number | undefined;
  /** Called when the machine's policy makes the command wait for a person, before it begins. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** Options of `execute`. */
export interface ExecuteOptions extends ExecOptions {
  /** Most output kept in the result, in bytes, both channels together, the first ones; default 64 MiB. */
  readonly maxOutputBytes?: number | undefined;
  /** True throws ExecError unless the command exited with 0. */
  readonly check?: boolean | undefined;
}

/** Options of an `execute` with a limited wait. */
export interface PatientExecuteOptions extends ExecuteOptions {
  /**
   * Longest wait for the end, in milliseconds: for a command that takes longer the result is a RunningExec,
   * and the command goes on. It counts from the call, but lasts at least until the machine has said that the
   * command runs, or the connection is lost.
   */
  readonly waitMs: number;
}

/** Options of `resumeStream`, for a command that any program has started before. */
export interface ResumeStreamOptions extends LinkListeners {
  /** The offset behind the output that is already known; default 0: all output. */
  readonly after?: number | bigint | undefined;
  /** Aborting cancels the command on the machine and waits for its outcome; to leave it running, stop reading. */
  readonly signal?: AbortSignal | undefined;
  /** As in ExecOptions. */
  readonly reconnectWindowMs?: number | undefined;
}

/** Options of `resume`. */
export interface ResumeOptions extends ResumeStreamOptions {
  /** As in ExecuteOptions. */
  readonly maxOutputBytes?: number | undefined;
  /** As in ExecuteOptions. */
  readonly check?: boolean | undefined;
}

/** The end of a command. */
export interface ExecEnd {
  readonly jobId: string;
  readonly outcome: OutcomeName;
  /** The exit code, 0 to 255; null unless `exited`. */
  readonly exitCode: number | null;
  /** The signal that ended it, if any. */
  readonly signal: string | null;
  /** The reason, if the outcome alone does not say it; otherwise empty. */
  readonly reason: string;
  /** Time from spawn to end on the machine, in milliseconds. */
  readonly durationMs: number;
}

/** The end of a job of any kind. */
export interface JobEnd extends Omit<ExecEnd, "outcome"> {
  readonly outcome: JobOutcomeName;
}

/** The amount of output that a result lacks. */
export interface Truncation {
  /** Number of bytes after maxOutputBytes was reached. */
  readonly overLimitBytes: number;
  /** Number of bytes that the machine dropped because nobody was reading. */
  readonly droppedByMachineBytes: number;
}

/** The output of a command. */
export interface ExecOutput {
  /** Output as UTF-8; invalid bytes become U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** The unchanged bytes. */
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** False when the output is whole. */
  readonly truncated: false | Truncation;
}

/** A finished command. */
export interface ExecResult extends ExecEnd, ExecOutput {
  readonly status: "done";
  /** As in JobStarted. */
  readonly shell: string | null;
}

/** A command that had not ended when `waitMs` was over, with its output so far. */
export interface RunningExec extends ExecOutput {
  /**
   * `unreachable` if the connection is lost: it is then not known whether the command still runs, or has
   * begun.
   */
  readonly status: "running" | "unreachable";
  /** The details of the loss; null while the connection is up. */
  readonly loss: LinkLoss | null;
  readonly jobId: string;
  /** As in JobStarted. */
  readonly shell: string | null;
  /** The offset behind the output so far, for `terminal.resume(jobId, { after })`. */
  readonly after: number;
  /**
   * Follows the command to its end and returns the whole result, with the output so far. `check`, `signal`
   * and the other options of the call still hold.
   */
  result(): Promise<ExecResult>;
  /** Cancels the command and returns its end. */
  cancel(): Promise<ExecEnd>;
}

/** The machine's report that a job runs, or was found running. */
export interface JobStarted {
  /** The process id on the machine; 0 if the process has ended. */
  readonly pid: number;
  /** True if the job had been started before. */
  readonly attached: boolean;
  /**
   * The journal's end when the stream was opened. Output before this offset is replayed, later output is new.
   */
  readonly outputEnd: number;
  /**
   * True if the machine could not write the job to disk (a full disk, say), so that a restart of the agent
   * forgets it.
   */
  readonly inMemory: boolean;
  /**
   * The shell that runs the line, if it is not sh; else null, also without a line and after a restart of the
   * agent.
   */
  readonly shell: string | null;
}

/**
 * One event of a running command. Offsets count the bytes of both channels, in order of arrival; they are
 * exact up to 2^53.
 */
export type ExecEvent =
  | ({ readonly type: "started"; readonly jobId: string } & JobStarted)
  | { readonly type: "stdout" | "stderr"; readonly data: Uint8Array; readonly offset: number }
  /**
   * Output that the machine dropped, for a limit of its own, before it could be read: `bytes` from `offset`
   * on.
   */
  | { readonly type: "dropped"; readonly bytes: number; readonly offset: number }
  | ({ readonly type: "ended" } & ExecEnd);
