import { LONGEST_TIMER_MS } from "@cmdop/kit";
import type { Collected } from "./collect.ts";
import type { ExecEnd, ExecEvent, ExecResult, LinkLoss, RunningExec } from "./types.ts";

/** Pause between two looks whether the connection is lost, in milliseconds, once patience is over: most losses last no longer. */
const LOSS_CHECK_MS = 2_000;

/** What a running command needs to be followed and ended. */
export interface RunningExecOptions {
  readonly jobId: string;
  readonly collected: Collected;
  /** What is known of the connection, where it is lost. */
  readonly loss: LinkLoss | undefined;
  /** The command's events after an offset. */
  readonly eventsAfter: (after: number) => AsyncIterable<ExecEvent>;
  /** Throws where the result is not what the caller asked for. */
  readonly checked: (result: ExecResult) => ExecResult;
  readonly cancel: () => Promise<ExecEnd>;
}

/**
 * Events until patience is over: then they end without an end, but not before
 * the machine has said that the command runs, or the connection is lost.
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

/** A handle of a command that is still running. */
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
