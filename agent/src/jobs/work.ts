import type { Login } from "../login/login.ts";
import type { HeldPipes } from "./exec/held-pipes.ts";
import type { JobInput } from "./input.ts";
import type { Journal } from "./journal/journal.ts";
import type { JobLimits } from "./limits.ts";
import type { Outcome, StopCause } from "./outcome.ts";
import type { JobTrace } from "./process/job-trace.ts";
import type { SpawnContext } from "./process/spawn.ts";
import type { SessionTerminal } from "./session/terminal.ts";

/** What a job needs from around it. */
export interface JobContext extends SpawnContext {
  readonly jobId: string;
  /** By what its processes are known. */
  readonly trace: JobTrace;
  /** Called when its first process is there, before anything is done with it. */
  readonly onBorn: (process: { readonly pid: number; readonly cgroup?: string | undefined }) => void;
  /** The key that the job belongs to. */
  readonly keyId: string;
  readonly journal: Journal;
  readonly heldPipes: HeldPipes;
  /** What it begins with, as it is now. Never rejects. */
  readonly login: () => Promise<Login>;
  readonly limits: JobLimits;
  /** How long the job runs at most, in milliseconds, whatever it asked for; undefined means for as long as it likes. */
  readonly maxJobMs: number | undefined;
}

/** What a job does, once it has been started. It writes to the job's journal and ends with an outcome. */
export interface Work {
  /** The process id, as soon as it is known; 0 where there is none. Never rejects. */
  readonly pid: Promise<number>;
  /** Undefined where standard input was not kept open, or nothing was started. Never rejects. */
  readonly input: Promise<JobInput | undefined>;
  /** The shell that runs a command's line, as soon as it is known. Undefined for all else. Never rejects. */
  readonly shell?: Promise<string | undefined> | undefined;
  /** What a session is seen on; an exec has none. */
  readonly terminal?: SessionTerminal | undefined;
  /** Resolves when nothing more will come; never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Asks for the end, also before the process is there. The first reason wins, the process's own end included. */
  stop(cause: StopCause): void;
  /** Sends a signal to the process group, as soon as there is one; false where the process has ended. */
  signal(name: NodeJS.Signals): boolean;
}

/** Work that ended before it began. */
export function workWithout(outcome: Outcome): Work {
  return {
    pid: Promise.resolve(0),
    input: Promise.resolve(undefined),
    outcome: Promise.resolve(outcome),
    stop: () => undefined,
    signal: () => false,
  };
}
