import { create } from "@bufbuild/protobuf";
import { CmdopError, Exec, type JobEvent, JobEventSchema, OutcomeKind } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { isPassing, Pauses } from "./pause.ts";
import type { PreparedStart } from "./start-request.ts";

/** How long a job is followed over a lost connection, in milliseconds, unless the caller says otherwise. */
export const RECONNECT_WINDOW_MS = 60_000;

/** A stream that lived this long, in milliseconds, ends an outage; one that only says `started` and breaks again does not. */
const STEADY_AFTER_MS = 5_000;

const START = "/cmdop.v1.Exec/Start";
const ATTACH = "/cmdop.v1.Exec/Attach";

/** How to follow a job. */
export interface FollowOptions {
  /** How long to go on over a lost connection, in milliseconds. */
  readonly reconnectWindowMs: number;
  /** Ends the following at once, without an end event; the job goes on. */
  readonly leave: AbortSignal;
}

/**
 * Starts a job and follows it to its end, over lost connections too: whatever
 * has been read is never asked for again. Once Start may have reached the
 * machine, only Attach is sent; when the machine does not know the job, refuses
 * to tell, or the window is over, the end is `unknown` and says why.
 */
export async function* follow(
  caller: MachineCaller,
  start: PreparedStart,
  { reconnectWindowMs, leave }: FollowOptions,
): AsyncGenerator<JobEvent, void, void> {
  const exec = caller.client(Exec);
  const { jobId } = start;
  const pauses = new Pauses();
  let after = 0n;
  let mayRun = false;
  let announced = false;
  let lostAtMs: number | undefined;

  for (;;) {
    let openedAtMs = performance.now();
    try {
      // Before this succeeds nothing has been sent, so its errors are the caller's to see.
      const options = await caller.options(mayRun ? ATTACH : START, { signal: leave });
      openedAtMs = performance.now();
      const events = mayRun
        ? exec.attach({ jobId, after }, options)
        : exec.start({ ...start.request, after }, options);
      for await (const { event } of events) {
        if (event === undefined) continue;
        mayRun = true;
        if (event.kind.case === "output") {
          after = event.offset + BigInt(event.kind.value.data.length);
          lostAtMs = undefined;
          pauses.reset();
        }
        if (event.kind.case === "dropped") after = event.offset + event.kind.value.bytes;
        if (event.kind.case !== "started" || !announced) yield event;
        if (event.kind.case === "started") announced = true;
        if (event.kind.case === "ended") return;
      }
      throw new CmdopError("LinkLost", "The stream ended before the job did.");
    } catch (thrown) {
      if (leave.aborted) return;
      const error = CmdopError.from(thrown);
      // A Start that was refused has not run; one whose connection broke may have.
      if (!mayRun && error.code !== "LinkLost") throw error;
      const isFirstLoss = !mayRun || lostAtMs === undefined;
      mayRun = true;
      if (!isPassing(error)) {
        yield unknownEnd(after, reasonOf(error, jobId));
        return;
      }
      const now = performance.now();
      if (isFirstLoss || now - openedAtMs >= STEADY_AFTER_MS) lostAtMs = now;
      if (now - (lostAtMs ?? now) >= reconnectWindowMs) {
        const window = `did not come back within ${reconnectWindowMs} ms`;
        yield unknownEnd(
          after,
          `the connection broke and ${window}: ${error.message} The job ${jobId} may still run`,
        );
        return;
      }
      await pauses.wait(leave);
    }
  }
}

function reasonOf(error: CmdopError, jobId: string): string {
  return error.code === "JobUnknown"
    ? `the connection broke and the machine does not know the job ${jobId}: it never arrived, or the agent restarted`
    : `the job ${jobId} can't be followed any more, and may still run: ${error.message}`;
}

function unknownEnd(offset: bigint, reason: string): JobEvent {
  const outcome = { kind: OutcomeKind.UNKNOWN, reason };
  return create(JobEventSchema, { offset, kind: { case: "ended", value: { outcome } } });
}
