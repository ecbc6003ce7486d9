import { Backoff, onAbort } from "@cmdop/kit";
import {
  type CallOptions,
  CmdopError,
  Exec,
  type JobEvent,
  Jobs,
  mayHaveRun,
  RECONNECT_WINDOW_MS,
} from "@cmdop/proto";
import { isPassing, type MachineCaller, saysThatNothingRan, TokenRenewal } from "../connection/caller.ts";
import { clientClosed } from "../connection/channel.ts";
import type { OnWaiting } from "../connection/waiting.ts";
import { Outage } from "./outage.ts";
import type { StartRequest } from "./start-request.ts";
import type { LinkListeners } from "./types.ts";

/**
 * Longest wait for the end of a stream after the job's end, in milliseconds. It comes right behind, and a
 * client that left before it would be recorded as having canceled the call.
 */
const LAST_WORDS_MS = 1_000;

/** A method that streams a job's events. */
export interface EventsMethod {
  readonly path: string;
  open(after: bigint, options: CallOptions): AsyncIterable<{ readonly event?: JobEvent | undefined }>;
}

/** A job to follow, and the start offset. */
export interface FollowedJob {
  readonly jobId: string;
  /** The offset behind the events that are already known. */
  readonly after: bigint;
  /** Starts the job, if it is a new one. */
  readonly start?: EventsMethod;
  /** Follows an existing job; default Jobs.Attach. */
  readonly attach?: EventsMethod;
}

/** Returns the method that starts a command. */
export function execStart(caller: MachineCaller, request: StartRequest): EventsMethod {
  return {
    path: "/cmdop.v1.Exec/Start",
    open: (after, options) => caller.client(Exec).start({ ...request, after }, options),
  };
}

function jobsAttach(caller: MachineCaller, jobId: string): EventsMethod {
  return {
    path: "/cmdop.v1.Jobs/Attach",
    open: (after, options) => caller.client(Jobs).attach({ jobId, after }, options),
  };
}

/** Options for following a job. */
export interface FollowOptions extends LinkListeners {
  /** Longest time without a connection, in milliseconds; default RECONNECT_WINDOW_MS. */
  readonly reconnectWindowMs?: number | undefined;
  /** Stops following at once, without an end event; the job goes on. */
  readonly leave: AbortSignal;
  readonly onWaiting?: OnWaiting | undefined;
}

/** Error for a job that can't be followed any more, so its fate is not known here. */
export class OutOfSight extends CmdopError {
  constructor(cause: CmdopError, message: string) {
    super(cause.code, message, { cause, next: cause.next });
  }
}

/**
 * Follows a job to its end, across lost connections; output that was read is never requested again. Until the
 * machine has confirmed the job, Start is sent again with the same id, which attaches if the first one
 * arrived; from then on only Attach. Throws the first attempt's error if nothing can have run yet; later
 * OutOfSight, when the window is over or the machine refuses. The end is yielded after the clean-up, so a
 * reader that stops there leaves nothing behind.
 */
export async function* follow(
  caller: MachineCaller,
  job: FollowedJob,
  { reconnectWindowMs = RECONNECT_WINDOW_MS, leave, onLink, onOffline, onWaiting }: FollowOptions,
): AsyncGenerator<JobEvent, void, void> {
  const { jobId, attach = jobsAttach(caller, jobId) } = job;
  const { closed, reconnect } = caller.transport;
  const over = new AbortController();
  const stopListening = [leave, closed].map((signal) => onAbort(signal, () => over.abort()));
  const pauses = new Backoff(reconnect);
  const outage = new Outage(reconnectWindowMs, { onLink, onOffline });
  const renewal = new TokenRenewal(caller.transport);
  // The error of the caller's own listener. It ended the call, so the caller gets it, whatever was sent
  // before.
  let failure: { readonly thrown: unknown } | undefined;
  const tellWaiting: OnWaiting = (waiting) => {
    try {
      onWaiting?.(waiting);
    } catch (thrown) {
      failure = { thrown };
      throw thrown;
    }
  };
  let { after, start } = job;
  let wasOpened = false;
  let wasSent = false;
  let isAnnounced = false;
  let end: JobEvent | undefined;
  let lastWords: NodeJS.Timeout | undefined;

  try {
    while (!leave.aborted) {
      let openedAtMs = performance.now();
      try {
        // Nothing has been sent before this first succeeds, so its errors go to the caller.
        const method = start ?? attach;
        const options = await caller.options(method.path, { signal: over.signal, onWaiting: tellWaiting });
        if (leave.aborted) return;
        openedAtMs = performance.now();
        wasOpened = true;
        for await (const { event } of method.open(after, options)) {
          if (event === undefined) continue;
          wasSent = true;
          start = undefined;
          outage.back();
          renewal.restore();
          if (event.kind.case === "output") {
            after = event.offset + BigInt(event.kind.value.data.length);
            outage.moved();
            pauses.reset();
          }
          if (event.kind.case === "dropped") after = event.offset + event.kind.value.bytes;
          if (event.kind.case === "ended") {
            end = event;
            lastWords = setTimeout(() => over.abort(), LAST_WORDS_MS);
            continue;
          }
          if (event.kind.case !== "started" || !isAnnounced) yield event;
          if (event.kind.case === "started") isAnnounced = true;
        }
        if (end !== undefined) break;
        throw new CmdopError("LinkLost", "The stream ended before the job did.");
      } catch (thrown) {
        if (end !== undefined) break;
        if (leave.aborted) return;
        if (failure !== undefined) throw failure.thrown;
        if (closed.aborted) throw wasOpened ? closedMeanwhile(jobId) : clientClosed();
        const error = CmdopError.from(thrown);
        if (renewal.helps(error)) continue;
        // A refused call has done nothing; one that broke off may have.
        if (!wasSent && !mayHaveRun(error)) throw error;
        // The id belongs to another request, or the request was not approved, so this one never ran.
        if (start !== undefined && saysThatNothingRan(error)) throw error;
        wasSent = true;
        if (!isPassing(error)) throw new OutOfSight(error, refusal(error, jobId));
        if (!outage.broke(error, openedAtMs)) {
          const window = `did not come back within ${reconnectWindowMs} ms`;
          throw new OutOfSight(
            error,
            `the connection broke and ${window}: ${error.message} The job ${jobId} may still run`,
          );
        }
        await pauses.wait({ signal: over.signal });
      }
    }
  } finally {
    clearTimeout(lastWords);
    for (const stop of stopListening) stop();
  }
  if (end !== undefined) yield end;
}

function closedMeanwhile(jobId: string): OutOfSight {
  return new OutOfSight(clientClosed(), `this client was closed; the job ${jobId} may still run`);
}

function refusal(error: CmdopError, jobId: string): string {
  return error.code === "JobUnknown"
    ? `the connection broke and the machine does not know the job ${jobId} any more: its agent lost its memory, or forgot it since`
    : `the job ${jobId} can't be followed any more, and may still run: ${error.message}`;
}
