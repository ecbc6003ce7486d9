import type { OnWaiting } from "../connection/waiting.ts";
import type { JobEnd, JobStarted, LinkListeners } from "./types.ts";

/** A job that a machine still knows: a command, a terminal or an agent's run. */
export interface JobInfo {
  readonly jobId: string;
  readonly kind: "exec" | "session" | "run";
  /** The command, as one line for people. */
  readonly command: string;
  /** Start time, by the machine's clock. */
  readonly startedAt: Date;
  /** The offset of the oldest output byte that is still kept. */
  readonly outputStart: number;
  /** Number of output bytes so far. */
  readonly outputEnd: number;
  /** The job's end; null while it runs. */
  readonly outcome: JobEnd | null;
}

/** Options of a listing of jobs. */
export interface JobsOptions {
  /** The kind of jobs to list; default all. */
  readonly kind?: "exec" | "session" | "run" | undefined;
  /** True lists only jobs that still run. */
  readonly running?: boolean | undefined;
}

/** Options of a new terminal. */
export interface CreateOptions {
  /** The program, or the program and its arguments; default the login shell of the user that jobs run as. */
  readonly shell?: string | readonly string[] | undefined;
  /** Width in characters, 1 to 500; default 80. */
  readonly cols?: number | undefined;
  /** Height in lines, 1 to 500; default 24. */
  readonly rows?: number | undefined;
  /** Working directory on the machine; default the home of the user that jobs run as. `~` expands. */
  readonly cwd?: string | undefined;
  /** Variables added to the machine's allow-listed environment. TERM is xterm-256color by default. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Time without input and without a viewer after which the session ends, in milliseconds; default never. */
  readonly idleTimeoutMs?: number | undefined;
  /** The session's id, a UUID; random by default. The same id never starts a second shell. */
  readonly sessionId?: string | undefined;
  /** Aborting closes a session that may have been started, and throws Canceled. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the machine's policy makes the session wait for a person. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** Options of watching a session. */
export interface AttachOptions extends LinkListeners {
  /** The offset behind the output that has been seen; default 0: all that the machine still has. */
  readonly after?: number | bigint | undefined;
  /** Aborting stops the watching; the session goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time without a connection, in milliseconds; default 15 minutes. */
  readonly reconnectWindowMs?: number | undefined;
  /** Called once, before the first chunk. Output before `outputEnd` is replayed. */
  readonly onStarted?: ((started: JobStarted) => void) | undefined;
}

/** Output of a session's terminal. */
export interface SessionChunk {
  /** Number of bytes before `data` since the session began. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Options of waiting for a text. */
export interface WaitOptions {
  /** Longest wait, in milliseconds; default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Aborting ends the waiting with Canceled. */
  readonly signal?: AbortSignal | undefined;
}

/** A text that appeared. */
export interface WaitResult {
  /** The match. */
  readonly text: string;
  /** The captures of the pattern's groups, the first at 0; empty for a string. */
  readonly groups: readonly (string | undefined)[];
  /** The text before the match, from the start of the search (its last 256 KiB). */
  readonly before: string;
}

/** Options of `sendInput`. */
export interface SendOptions {
  /** Longest time without a connection, in milliseconds; default 60,000. */
  readonly reconnectWindowMs?: number | undefined;
}

/** Options of a history. */
export interface HistoryOptions {
  /** Most lines to return, the last ones; default all that are kept. */
  readonly maxLines?: number | undefined;
}

/** The scrolled lines of a session, and its screen. */
export interface SessionHistory {
  /** The lines, without escapes. */
  readonly text: string;
  /** True if the machine's limit dropped some of the requested lines before the first. */
  readonly truncated: boolean;
}

/** A terminal's screen, as a person would see it. */
export interface Screen {
  /** The lines as one text, without trailing blanks. */
  readonly text: string;
  /** One line per row of the terminal. */
  readonly lines: readonly string[];
  /** Position of the cursor; the top left is 0, 0. */
  readonly cursor: { readonly col: number; readonly row: number };
  readonly cols: number;
  readonly rows: number;
  /** The window title that a program has set; empty if none did. */
  readonly title: string;
  /** True while a full-screen program shows its own screen. */
  readonly alternate: boolean;
}
