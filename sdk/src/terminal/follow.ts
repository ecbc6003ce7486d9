import { Backoff, onAbort } from "@cmdop/kit";
import { type CallOptions, CmdopError, Exec, type JobEvent, Jobs, mayHaveRun } from "@cmdop/proto";
import { isPassing, type MachineCaller, saysThatNothingRan, TokenRenewal } from "../connection/caller.ts";
import { clientClosed } from "../connection/channel.ts";
import type { OnWaiting } from "../connection/waiting.ts";
import { Outage } from "./outage.ts";
import type { StartRequest } from "./start-request.ts";
import type { LinkListeners } from "./types.ts";

/**
 * How long a job is followed over a lost connection, in milliseconds, unless the
 * caller says otherwise: a program that waits is to outlast a machine's reboot
 * and a laptop that looks for its network. Time in which this computer sleeps
 * does not count.
 */
export const RECONNECT_WINDOW_MS = 15 * 60_000;

/**
 * How long a job's end waits for the proper end of its stream, in milliseconds:
 * it comes right behind, and whoever left before it would be recorded as having
 * canceled the call.
 */
const LAST_WORDS_MS = 1_000;

/** A method that streams a job's events. */
export interface EventsMethod {
  readonly path: string;
  open(after: bigint, options: CallOptions): AsyncIterable<{ readonly event?: JobEvent | undefined }>;
}

/** Which job to follow, and from where. */
export interface FollowedJob {
  readonly jobId: string;
  /** The offset behind what is known already. */
  readonly after: bigint;
  /** Starts the job first, where it is to be started. */
  readonly start?: EventsMethod;
  /** Follows a job that is there; Jobs.Attach unless given. */
  readonly attach?: EventsMethod;
}

/** Starts a command. */
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

/** How to follow a job. */
export interface FollowOptions extends LinkListeners {
  /** How long to go on over a lost connection, in milliseconds; RECONNECT_WINDOW_MS unless given. */
  readonly reconnectWindowMs?: number | undefined;
  /** Ends the following at once, without an end event; the job goes on. */
  readonly leave: AbortSignal;
  readonly onWaiting?: OnWaiting | undefined;
}

/** The job can't be followed any more, and nobody here can say what becomes of it. */
export class OutOfSight extends CmdopError {
  constructor(cause: CmdopError, message: string) {
    super(cause.code, message, { cause, next: cause.next });
  }
}

/**
 * Follows a job to its end, over lost connections too: whatever has been read
 * is never asked for again. Until the machine has said that the job is there,
 * Start is sent again with the same id, which attaches where the first one
 * arrived; from then on only Attach. Throws what the first attempt throws
 * where nothing can have happened yet, and OutOfSight after that, when the
 * window is over or the machine refuses to tell. All is cleaned up when the end
 * is given: whoever stops reading there leaves nothing behind.
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
  // What the caller's own listener threw: it ended the call, and is the caller's to see whatever was sent before.
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
        // Before this succeeds for the first time nothing has been sent, so its errors are the caller's to see.
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
        // A call that was refused has done nothing; one that was broken off may have.
        if (!wasSent && !mayHaveRun(error)) throw error;
        // The id belongs to another request, or nobody has approved it: so this one never ran.
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
