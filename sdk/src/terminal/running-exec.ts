import { LONGEST_TIMER_MS } from "@cmdop/kit";
import type { Collected } from "./collect.ts";
import type { ExecEnd, ExecEvent, ExecResult, LinkLoss, RunningExec } from "./types.ts";

/**
 * Interval between checks for a lost connection once `waitMs` is over, in milliseconds: most losses last no
 * longer.
 */
const LOSS_CHECK_MS = 2_000;

/** The parts of a handle of a running command. */
export interface RunningExecOptions {
  readonly jobId: string;
  readonly collected: Collected;
  /** The details of a lost connection; undefined while it is up. */
  readonly loss: LinkLoss | undefined;
  /** Returns the command's events after an offset. */
  readonly eventsAfter: (after: number) => AsyncIterable<ExecEvent>;
  /** Returns the result, or throws if `check` rejects it. */
  readonly checked: (result: ExecResult) => ExecResult;
  readonly cancel: () => Promise<ExecEnd>;
}

/**
 * Yields events until `waitMs` is over, and then stops without an end. It does not stop before the machine
 * has said that the command runs, or the connection is lost.
 */
export async function* eventsWithin(
  events: AsyncIterable<ExecEvent>,
  waitMs: number | undefined,
  leave: AbortController,
  isLost: () => boolean,
): AsyncGenerator<ExecEvent, void, void> {
  let isRunning = false;
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const onLate = (): void => {
    if (isRunning || (isLate && isLost())) leave.abort();
    else timer = setTimeout(onLate, LOSS_CHECK_MS);
    isLate = true;
  };
  if (waitMs !== undefined) timer = setTimeout(onLate, Math.min(waitMs, LONGEST_TIMER_MS));
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

/** Makes the handle of a command that is still running. */
export function runningExec(options: RunningExecOptions): RunningExec {
  const { jobId, collected, loss, eventsAfter, checked, cancel } = options;
  return {
    status: loss === undefined ? "running" : "unreachable",
    loss: loss ?? null,
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
