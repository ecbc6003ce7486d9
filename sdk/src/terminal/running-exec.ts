import type { Collected } from "./collect.ts";
import { LONGEST_TIMER_MS } from "./pause.ts";
import type { ExecEnd, ExecEvent, ExecResult, RunningExec } from "./types.ts";

/** What a running command needs to be followed and ended. */
export interface RunningExecOptions {
  readonly jobId: string;
  readonly collected: Collected;
  /** The command's events after an offset. */
  readonly eventsAfter: (after: bigint) => AsyncIterable<ExecEvent>;
  /** Throws where the result is not what the caller asked for. */
  readonly checked: (result: ExecResult) => ExecResult;
  readonly cancel: () => Promise<ExecEnd>;
}

/**
 * Events until patience is over: then they end without an end, but not before
 * the machine has said that the command runs.
 */
export async function* eventsWithin(
  events: AsyncIterable<ExecEvent>,
  waitMs: number | undefined,
  leave: AbortController,
): AsyncGenerator<ExecEvent, void, void> {
  let isRunning = false;
  let isLate = false;
  const onLate = (): void => {
    isLate = true;
    if (isRunning) leave.abort();
  };
  const timer = waitMs === undefined ? undefined : setTimeout(onLate, Math.min(waitMs, LONGEST_TIMER_MS));
  try {
    for await (const event of events) {
      yield event;
      if (event.type !== "started") continue;
      isRunning = true;
      if (isLate) leave.abort();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** A handle of a command that is still running. */
export function runningExec(options: RunningExecOptions): RunningExec {
  const { jobId, collected, eventsAfter, checked, cancel } = options;
  return {
    status: "running",
    jobId,
    shell: collected.shell,
    after: collected.after,
    ...collected.output(),
    async result() {
      const whole = collected.copy();
      await whole.read(eventsAfter(whole.after));
      return checked(whole.result());
    },
    cancel,
  };
}
