import type { OnWaiting } from "../connection/waiting.ts";
import type { JobEnd, JobStarted, LinkListeners } from "./types.ts";

/** A job that a machine still knows: a command, a terminal or an agent's run. */
export interface JobInfo {
  readonly jobId: string;
  readonly kind: "exec" | "session" | "run";
  /** What runs, as one line for people. */
  readonly command: string;
  /** By the machine's clock. */
  readonly startedAt: Date;
  /** The offset of the oldest byte of output that is still there. */
  readonly outputStart: number;
  /** Bytes written so far. */
  readonly outputEnd: number;
  /** How it ended; null while it runs. */
  readonly outcome: JobEnd | null;
}

/** Which jobs to list. */
export interface JobsOptions {
  /** Only jobs of this kind; all unless given. */
  readonly kind?: "exec" | "session" | "run" | undefined;
  /** True: only jobs that still run. */
  readonly running?: boolean | undefined;
}

/** A new terminal. */
export interface CreateOptions {
  /** The program, or the program and its arguments; the login shell of the user that jobs run as unless given. */
  readonly shell?: string | readonly string[] | undefined;
  /** Characters in a line, 1 to 500; 80 unless given. */
  readonly cols?: number | undefined;
  /** Lines, 1 to 500; 24 unless given. */
  readonly rows?: number | undefined;
  /** Working directory on the machine; the home of the user that jobs run as unless given. `~` expands. */
  readonly cwd?: string | undefined;
  /** Added to the machine's allow-listed environment. TERM is xterm-256color unless given. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Ends the session after this many milliseconds without input and without a viewer; never unless given. */
  readonly idleTimeoutMs?: number | undefined;
  /** The session's name, a UUID; made up unless given. The same id never starts a second shell. */
  readonly sessionId?: string | undefined;
  /** Aborting closes what may have been started, and throws Canceled. */
  readonly signal?: AbortSignal | undefined;
  /** Told when the machine's policy makes the session wait for a person. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** How a session is watched. */
export interface AttachOptions extends LinkListeners {
  /** The offset behind what has been seen; 0, so all that the machine still has, unless given. */
  readonly after?: number | bigint | undefined;
  /** Aborting stops the watching; the session lives on. */
  readonly signal?: AbortSignal | undefined;
  /** How long to go on after a lost connection, in milliseconds; 15 minutes unless given. */
  readonly reconnectWindowMs?: number | undefined;
  /** Told once, before the first chunk: what comes before `outputEnd` is replayed. */
  readonly onStarted?: ((started: JobStarted) => void) | undefined;
}

/** Bytes that a session's terminal showed. */
export interface SessionChunk {
  /** How many bytes came before `data` since the session began. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** How a text is waited for. */
export interface WaitOptions {
  /** How long to wait, in milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
  /** Aborting ends the waiting with Canceled. */
  readonly signal?: AbortSignal | undefined;
}

/** A text that appeared. */
export interface WaitResult {
  /** What matched. */
  readonly text: string;
  /** What the pattern's groups captured, the first at 0; empty for a string. */
  readonly groups: readonly (string | undefined)[];
  /** What came before the match, from where the search began (its last 256 KiB). */
  readonly before: string;
}

/** Options of `sendInput`. */
export interface SendOptions {
  /** How long to go on over a lost connection, in milliseconds; 60,000 unless given. */
  readonly reconnectWindowMs?: number | undefined;
}

/** How much of a history to get. */
export interface HistoryOptions {
  /** At most this many lines, the last ones; all that are kept unless given. */
  readonly maxLines?: number | undefined;
}

/** What scrolled by in a session, and its screen. */
export interface SessionHistory {
  /** Lines, without escapes. */
  readonly text: string;
  /** True where lines before the first are gone, of those that were asked for: a bound of the machine dropped them. */
  readonly truncated: boolean;
}

/** What a person in front of the terminal would see. */
export interface Screen {
  /** The lines in one, without trailing blanks. */
  readonly text: string;
  /** As many as the terminal has rows. */
  readonly lines: readonly string[];
  /** Where the cursor is, the top left being 0, 0. */
  readonly cursor: { readonly col: number; readonly row: number };
  readonly cols: number;
  readonly rows: number;
  /** The window title that the programs have set; empty where none did. */
  readonly title: string;
  /** True while a full-screen program shows its own screen. */
  readonly alternate: boolean;
}
