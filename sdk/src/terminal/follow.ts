import { create } from "@bufbuild/protobuf";
import { CmdopError, Exec, type JobEvent, JobEventSchema, OutcomeKind, onAbort } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { PreparedStart } from "./start-request.ts";

/** How long a job is followed over a lost connection, in milliseconds, unless the caller says otherwise. */
export const RECONNECT_WINDOW_MS = 60_000;

/** Pauses between two attempts to come back, in milliseconds. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

/** How to follow a job. */
export interface FollowOptions {
  /** How long to go on over a lost connection, in milliseconds. */
  readonly reconnectWindowMs: number;
  /** Ends the following at once, without an end event; the job goes on. */
  readonly leave: AbortSignal;
}

const START = "/cmdop.v1.Exec/Start";
const ATTACH = "/cmdop.v1.Exec/Attach";

/**
 * Starts a job and follows it to its end, over lost connections too: whatever
 * has been read is never asked for again. Once Start may have reached the
 * machine, only Attach is sent; when the machine does not know the job, or the
 * window is over, the end is `unknown` and says why.
 */
export async function* follow(
  caller: MachineCaller,
  start: PreparedStart,
  { reconnectWindowMs, leave }: FollowOptions,
): AsyncGenerator<JobEvent, void, void> {
  const exec = caller.client(Exec);
  const { jobId } = start;
  let after = 0n;
  let mayRun = false;
  let announced = false;
  let lostAtMs: number | undefined;
  let pauseMs = FIRST_PAUSE_MS;

  for (;;) {
    try {
      // Before this succeeds nothing has been sent, so its errors are the caller's to see.
      const options = await caller.options(mayRun ? ATTACH : START, { signal: leave });
      const events = mayRun
        ? exec.attach({ jobId, after }, options)
        : exec.start({ ...start.request, after }, options);
      for await (const { event } of events) {
        if (event === undefined) continue;
        mayRun = true;
        lostAtMs = undefined;
        pauseMs = FIRST_PAUSE_MS;
        if (event.kind.case === "output") after = event.offset + BigInt(event.kind.value.data.length);
        if (event.kind.case === "dropped") after = event.offset + event.kind.value.bytes;
        if (event.kind.case !== "started" || !announced) yield event;
        if (event.kind.case === "started") announced = true;
        if (event.kind.case === "ended") return;
      }
      throw new CmdopError("LinkLost", "The stream ended before the job did.");
    } catch (thrown) {
      if (leave.aborted) return;
      const error = CmdopError.from(thrown);
      const isConnection =
        error.code === "LinkLost" || error.code === "RelayUnreachable" || error.code === "MachineOffline";
      if (!mayRun && error.code !== "LinkLost") throw error;
      if (mayRun && error.code === "JobUnknown") {
        yield unknownEnd(
          after,
          `the connection broke (job ${jobId}) and the machine does not know the job: it never arrived, or the agent restarted`,
        );
        return;
      }
      if (!isConnection) throw error;
      mayRun = true;
      lostAtMs ??= performance.now();
      if (performance.now() - lostAtMs >= reconnectWindowMs) {
        yield unknownEnd(
          after,
          `the connection broke and did not come back within ${reconnectWindowMs} ms: ${error.message} The job ${jobId} may still run`,
        );
        return;
      }
      await pause(pauseMs, leave);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }
}

function unknownEnd(offset: bigint, reason: string): JobEvent {
  const outcome = { kind: OutcomeKind.UNKNOWN, reason };
  return create(JobEventSchema, { offset, kind: { case: "ended", value: { outcome } } });
}

/** Waits, but not beyond the signal. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stopListening();
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    const stopListening = onAbort(signal, done);
  });
}
