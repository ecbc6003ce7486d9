import type { Outcome, StopCause } from "./outcome.ts";
import type { StandardInput } from "./standard-input.ts";

/** What a job does, once it has been started. It writes to the job's journal and ends with an outcome. */
export interface Work {
  /** The process id; 0 where there is none. */
  readonly pid: number;
  /** Undefined where standard input was not kept open. */
  readonly input: StandardInput | undefined;
  /** Resolves when nothing more will come; never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Asks for the end. The first reason wins, the process's own end included. */
  stop(cause: StopCause): void;
  /** Sends a signal to the process group; false where the process has ended. */
  signal(name: NodeJS.Signals): boolean;
}

/** Work that ended before it began. */
export function workWithout(outcome: Outcome | Promise<Outcome>): Work {
  return {
    pid: 0,
    input: undefined,
    outcome: Promise.resolve(outcome),
    stop: () => undefined,
    signal: () => false,
  };
}
