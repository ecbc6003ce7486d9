import { onAbort } from "@cmdop/kit";
import type { MachineCaller } from "../connection/caller.ts";
import type { OnWaiting } from "../connection/waiting.ts";
import { execEvent, unknownEnd } from "./events.ts";
import { feedInput } from "./feed-input.ts";
import { execStart, type FollowedJob, follow, OutOfSight } from "./follow.ts";
import { cancelJob, cancelUntilHeard } from "./jobs-calls.ts";
import { leavable } from "./leavable.ts";
import type { StartRequest, StreamedStdin } from "./start-request.ts";
import type { ExecEvent, OnLink } from "./types.ts";

/** What holds for a command however often it is followed. */
export interface ExecRunOptions {
  readonly jobId: string;
  /** Input that is fed to the command once it runs. */
  readonly stdin?: StreamedStdin | undefined;
  /** Aborting cancels the command. */
  readonly signal?: AbortSignal | undefined;
  readonly reconnectWindowMs?: number | undefined;
  readonly onLink?: OnLink | undefined;
  readonly onWaiting?: OnWaiting | undefined;
}

/** From where a command is followed, and what becomes of its input. */
export interface ExecView extends Pick<FollowedJob, "after"> {
  /** Starts the command first, where it is to be started. */
  readonly start?: StartRequest;
  /** Aborting ends the events without an end; the command goes on. */
  readonly leave?: AbortController;
  /** True: the input is fed on when nobody reads the events any more. */
  readonly feedsOn?: boolean;
}

/** One command as this caller sees it: its events, the input on its way to it, and its cancellation. */
export class ExecRun {
  readonly #caller: MachineCaller;
  readonly #options: ExecRunOptions;
  readonly #feedOver = new AbortController();
  /** Aborts when the command can't be canceled: it goes on, and nobody here can end it. */
  readonly #refused = new AbortController();
  #stdin: StreamedStdin | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(caller: MachineCaller, options: ExecRunOptions) {
    this.#caller = caller;
    this.#options = options;
    this.#stdin = options.stdin;
  }

  /** What happens from `after` on; first of all the start, where there is one. Whoever stops reading leaves the command running. */
  events(view: ExecView): AsyncGenerator<ExecEvent, void, void> {
    const leave = view.leave ?? new AbortController();
    return leavable(this.#events(view, leave), () => leave.abort());
  }

  async *#events(
    { after, start, feedsOn = false }: ExecView,
    leave: AbortController,
  ): AsyncGenerator<ExecEvent, void, void> {
    const { jobId, signal, reconnectWindowMs, onLink, onWaiting } = this.#options;
    if (signal?.aborted && start !== undefined) {
      yield canceledBeforeStart(jobId);
      return;
    }
    const over = new AbortController();
    const stopListening = [
      onAbort(signal, () => this.#cancel(over.signal)),
      onAbort(this.#refused.signal, () => leave.abort()),
    ];
    let isEnded = false;
    try {
      const job = { jobId, after, ...(start === undefined ? {} : { start: execStart(this.#caller, start) }) };
      const options = { reconnectWindowMs, leave: leave.signal, onLink, onWaiting };
      for await (const event of follow(this.#caller, job, options)) {
        if (event.kind.case === "started") this.#feed();
        isEnded = event.kind.case === "ended";
        if (isEnded && this.#failure !== undefined) break;
        const known = execEvent(jobId, event);
        if (isEnded) over.abort();
        if (known !== undefined) yield known;
      }
    } catch (thrown) {
      if (!(thrown instanceof OutOfSight)) throw thrown;
      isEnded = true;
      if (this.#failure === undefined) yield { type: "ended", ...unknownEnd(jobId, thrown.message) };
    } finally {
      over.abort();
      for (const stop of stopListening) stop();
      if (isEnded || !feedsOn) this.#feedOver.abort();
    }
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  /** Begins to feed the input, the first time. */
  #feed(): void {
    const stdin = this.#stdin;
    if (stdin === undefined) return;
    this.#stdin = undefined;
    const { jobId, reconnectWindowMs } = this.#options;
    const over = this.#feedOver.signal;
    feedInput(this.#caller, { ...stdin, jobId, reconnectWindowMs, over }).catch((thrown) => {
      if (over.aborted) return;
      // Without its input the command would wait for ever.
      this.#failure ??= { thrown };
      this.#cancel(over);
    });
  }

  #cancel(over: AbortSignal): void {
    const cancel = () => cancelJob(this.#caller, this.#options.jobId);
    cancelUntilHeard(this.#caller, cancel, over).catch((thrown) => {
      this.#failure ??= { thrown };
      this.#refused.abort();
    });
  }
}

function canceledBeforeStart(jobId: string): ExecEvent {
  const reason = "canceled before it was sent";
  return { type: "ended", ...unknownEnd(jobId, reason), outcome: "canceled" };
}
