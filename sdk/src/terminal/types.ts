import type { ErrorCode } from "@cmdop/proto";
import type { OnWaiting } from "../connection/waiting.ts";

/** How a command ended; exactly one of these, never a guess. */
export type OutcomeName = "exited" | "signaled" | "timed_out" | "canceled" | "failed_to_start" | "unknown";

/** How a job of whatever kind ended: an agent's run is `completed` with its answer, or has `failed` to come to one. */
export type JobOutcomeName = OutcomeName | "completed" | "failed";

/**
 * What to run: a line for a shell, or a program with its arguments. Strings are
 * taken as they stand; bytes are for what is not UTF-8, as `pathBytes` of a name
 * that `files.list` gave.
 */
export type ExecCommand = string | Uint8Array | readonly (string | Uint8Array)[];

/** What is known of a connection that was lost while a job was followed. */
export interface LinkLoss {
  /** `MachineOffline` where the relay says that the machine is away; else what broke, and why it is not back: `LinkLost`, `RelayUnreachable` … */
  readonly code: ErrorCode;
  /** The same in words. */
  readonly message: string;
  /** Since when, in milliseconds since 1970 by this computer's clock. */
  readonly sinceMs: number;
  /** For how long it is tried again, in milliseconds; time in which this computer sleeps does not count. */
  readonly reconnectWindowMs: number;
}

/** Told of a connection that was lost while a job was followed, and of its return: once each, with what is known by then. */
export type OnLink = (state: "lost" | "back", loss?: LinkLoss) => void;

/** Told of the way to the machine while a job is followed. */
export interface LinkListeners {
  /** Told when the connection is lost, and when the job is followed again. */
  readonly onLink?: OnLink | undefined;
  /** Told once for each loss where the relay says that the machine is offline; the job may still run there. */
  readonly onOffline?: ((loss: LinkLoss) => void) | undefined;
}

/** Options of a command. */
export interface ExecOptions extends LinkListeners {
  /** Working directory on the machine; the home of the user that jobs run as unless given. `~` expands. */
  readonly cwd?: string | undefined;
  /**
   * The shell of a line: an absolute path, or one of the names sh, bash, zsh, ksh, dash, ash; only with a string. The
   * login shell of the user that jobs run as unless given, where it is one of these, else /bin/sh.
   */
  readonly shell?: string | undefined;
  /**
   * True: the environment is what an interactive login shell leaves when it has read its profile (what nvm, pyenv or
   * cargo add to PATH, say); a profile that fails is `failed_to_start`. The machine's policy says it unless given.
   */
  readonly login?: boolean | undefined;
  /** Added to the environment that the machine gives its jobs; what it sets wins. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Standard input; end of file at once unless given. */
  readonly stdin?: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined;
  /** True: after `stdin` standard input stays open for `terminal.sendStdin`, which ends it with `eof`. */
  readonly stdinOpen?: boolean | undefined;
  /** The command's own time limit in milliseconds, kept by the machine; none unless given. */
  readonly timeoutMs?: number | undefined;
  /** Aborting cancels the command on the machine and waits for its outcome. */
  readonly signal?: AbortSignal | undefined;
  /** The job's name, a UUID; made up unless given. The same id never runs twice. */
  readonly jobId?: string | undefined;
  /** How long to go on after a lost connection, in milliseconds, before the outcome is `unknown`; 15 minutes unless given: a laptop's sleep, a restart. */
  readonly reconnectWindowMs?: number | undefined;
  /** Told when the machine's policy makes the command wait for a person; it has not begun then. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** Options of `execute`. */
export interface ExecuteOptions extends ExecOptions {
  /** Bytes of output kept in the result, both channels together: the first ones; 64 MiB unless given. */
  readonly maxOutputBytes?: number | undefined;
  /** True throws ExecError unless the command exited with 0. */
  readonly check?: boolean | undefined;
}

/** Options of an `execute` that does not wait for ever. */
export interface PatientExecuteOptions extends ExecuteOptions {
  /**
   * A soft limit in milliseconds: a command that takes longer is answered with
   * a RunningExec, and goes on. Counted from the call; never before the machine
   * has said that the command runs, unless the connection is lost.
   */
  readonly waitMs: number;
}

/** Options of `resumeStream`: of a command that was started before, by whomever. */
export interface ResumeStreamOptions extends LinkListeners {
  /** The offset behind what is known already; 0, so everything, unless given. */
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

/** How a job of whatever kind ended. */
export interface JobEnd extends Omit<ExecEnd, "outcome"> {
  readonly outcome: JobOutcomeName;
}

/** What is missing from a result's output. */
export interface Truncation {
  /** Bytes that came after maxOutputBytes was reached. */
  readonly overLimitBytes: number;
  /** Bytes that the machine dropped because nobody was reading. */
  readonly droppedByMachineBytes: number;
}

/** What a command has written. */
export interface ExecOutput {
  /** As UTF-8; invalid bytes become U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** The bytes as they came. */
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
  /** `unreachable` where the connection is lost: then nobody here knows whether the command still runs, or has begun. */
  readonly status: "running" | "unreachable";
  /** What is known of the loss; null while the connection is up. */
  readonly loss: LinkLoss | null;
  readonly jobId: string;
  /** As in JobStarted. */
  readonly shell: string | null;
  /** The offset behind the output so far: for `terminal.resume(jobId, { after })`. */
  readonly after: number;
  /**
   * Follows the command to its end: the whole result, the output so far
   * included. `check`, `signal` and the other options of the call still hold.
   */
  result(): Promise<ExecResult>;
  /** Ends the command and returns how it ended. */
  cancel(): Promise<ExecEnd>;
}

/** The machine's word that a job runs, or was found running. */
export interface JobStarted {
  /** The process id on the machine; 0 where there is none any more. */
  readonly pid: number;
  /** True where the job had been started before. */
  readonly attached: boolean;
  /** The journal's end when the stream was opened: output before this offset is replayed, what comes behind it is new. */
  readonly outputEnd: number;
  /** True where the machine could not write the job down (its disk is full, say): a restart of the agent forgets it. */
  readonly inMemory: boolean;
  /** The shell that runs the line, where it is not sh; null where it is, where there is no line, and where the machine's agent has been restarted since. */
  readonly shell: string | null;
}

/** One event of a running command. Offsets count the bytes of both channels, in the order in which they came; they are exact up to 2^53. */
export type ExecEvent =
  | ({ readonly type: "started"; readonly jobId: string } & JobStarted)
  | { readonly type: "stdout" | "stderr"; readonly data: Uint8Array; readonly offset: number }
  /** Output that a bound of the machine dropped before it could be read: `bytes` from `offset` on. */
  | { readonly type: "dropped"; readonly bytes: number; readonly offset: number }
  | ({ readonly type: "ended" } & ExecEnd);
