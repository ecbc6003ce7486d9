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

/** What holds for a command however often it is followed. */
export interface ExecRunOptions extends LinkListeners {
  readonly jobId: string;
  /** Input that is fed to the command once it runs. */
  readonly stdin?: StreamedStdin | undefined;
  /** Aborting cancels the command. */
  readonly signal?: AbortSignal | undefined;
  readonly reconnectWindowMs?: number | undefined;
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

  /** What is known of the connection, where it is lost. */
  get loss(): LinkLoss | undefined {
    return this.#link.loss;
  }

  /** Whether the machine has said that the command is there: from then on it is followed without a start. */
  get hasStarted(): boolean {
    return this.#hasStarted;
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
    /** Told when all is cleaned up: whoever stops reading there leaves nothing behind. */
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
