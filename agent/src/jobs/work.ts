import type { Outcome, StopCause } from "./outcome.ts";
import type { StandardInput } from "./standard-input.ts";

/** What a job does, once it has been started. It writes to the job's journal and ends with an outcome. */
export interface Work {
  /** The process id, as soon as it is known; 0 where there is none. Never rejects. */
  readonly pid: Promise<number>;
  /** Undefined where standard input was not kept open, or nothing was started. Never rejects. */
  readonly input: Promise<StandardInput | undefined>;
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
