import { onAbort } from "@cmdop/kit";
import type { MachineCaller } from "../connection/caller.ts";
import type { OnWaiting } from "../connection/waiting.ts";
import { execEvent, unknownEnd } from "./events.ts";
import { feedInput } from "./feed-input.ts";
import { execStart, type FollowedJob, follow, OutOfSight } from "./follow.ts";
import { cancelJob, cancelUntilHeard } from "./jobs-calls.ts";
import { leavable } from "./leavable.ts";
import { LinkWatch } from "./outage.ts";
import type { StartRequest, StreamedStdin } from "./start-request.ts";
import type { ExecEvent, LinkListeners, LinkLoss } from "./types.ts";

/** Options that hold each time a command is followed. */
export interface ExecRunOptions extends LinkListeners {
  readonly jobId: string;
  /** Input that is sent to the command once it runs. */
  readonly stdin?: StreamedStdin | undefined;
  /** Aborting cancels the command. */
  readonly signal?: AbortSignal | undefined;
  readonly reconnectWindowMs?: number | undefined;
  readonly onWaiting?: OnWaiting | undefined;
}

/** One following of a command: its start offset, and the handling of its input. */
export interface ExecView extends Pick<FollowedJob, "after"> {
  /** The request that starts the command, if it is a new one. */
  readonly start?: StartRequest;
  /** Aborting ends the events without an end; the command goes on. */
  readonly leave?: AbortController;
  /** True keeps sending the input after the reader of the events has left. */
  readonly feedsOn?: boolean;
}

/** One command from this caller's view: its events, its input, and its cancellation. */
export class ExecRun {
  readonly #caller: MachineCaller;
  readonly #options: ExecRunOptions;
  readonly #feedOver = new AbortController();
  /** Aborts when the cancel call is refused: the command goes on, and this client can't end it. */
  readonly #refused = new AbortController();
  readonly #link: LinkWatch;
  #hasStarted = false;
  #stdin: StreamedStdin | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(caller: MachineCaller, options: ExecRunOptions) {
    this.#caller = caller;
    this.#options = options;
    this.#stdin = options.stdin;
    this.#link = new LinkWatch(options);
  }

  /** The details of a lost connection; undefined while it is up. */
  get loss(): LinkLoss | undefined {
    return this.#link.loss;
  }

  /** True once the machine has confirmed the command; from then on it is followed without a start. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /**
   * Yields the events from `after` on, starting the command first if `start` is given. The command goes on
   * when the reader stops reading.
   */
  events(view: ExecView): AsyncGenerator<ExecEvent, void, void> {
    const leave = view.leave ?? new AbortController();
    return leavable(this.#events(view, leave), () => leave.abort());
  }

  async *#events(
    { after, start, feedsOn = false }: ExecView,
    leave: AbortController,
  ): AsyncGenerator<ExecEvent, void, void> {
    const { jobId, signal, reconnectWindowMs, onWaiting } = this.#options;
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
    /** The end, yielded after the clean-up: a reader that stops there leaves nothing behind. */
    let last: ExecEvent | undefined;
    try {
      const job = { jobId, after, ...(start === undefined ? {} : { start: execStart(this.#caller, start) }) };
      const { onLink, onOffline } = this.#link;
      const options = { reconnectWindowMs, leave: leave.signal, onLink, onOffline, onWaiting };
      for await (const event of follow(this.#caller, job, options)) {
        this.#hasStarted = true;
        if (event.kind.case === "started") this.#feed();
        isEnded = event.kind.case === "ended";
        const known = execEvent(jobId, event);
        if (isEnded) last = known;
        else if (known !== undefined) yield known;
      }
    } catch (thrown) {
      if (!(thrown instanceof OutOfSight)) throw thrown;
      isEnded = true;
      last = { type: "ended", ...unknownEnd(jobId, thrown.message) };
    } finally {
      over.abort();
      for (const stop of stopListening) stop();
      if (isEnded || !feedsOn) this.#feedOver.abort();
    }
    if (this.#failure !== undefined) throw this.#failure.thrown;
    if (last !== undefined) yield last;
  }

  /** Begins to send the input, at the first call only. */
  #feed(): void {
    const stdin = this.#stdin;
    if (stdin === undefined) return;
    this.#stdin = undefined;
    const { jobId, reconnectWindowMs } = this.#options;
    const over = this.#feedOver.signal;
    feedInput(this.#caller, { ...stdin, jobId, reconnectWindowMs, over }).catch((thrown) => {
      if (over.aborted) return;
      // The command is canceled, because without its input it would wait for ever.
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
