import { type Arrival, HEADERS } from "@cmdop/proto";
import { jobIdOf } from "../audit/describe.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Caller } from "../policy/caller.ts";
import { DEFAULT_ASK_TIMEOUT_MS, type Policy } from "../policy/policy.ts";
import type { Approvals } from "./approvals.ts";
import { questionText, requestHash } from "./question.ts";

/** A call that the policy lets wait for a person. */
export interface AskedCall {
  readonly arrival: Arrival;
  readonly caller: Caller;
  /** The call's id. */
  readonly call: string;
  /** Aborts when the right of the calling key ends. */
  readonly revoked?: AbortSignal | undefined;
}

/**
 * Resolves when the call may run: approved, or without an answer where it starts
 * nothing: its job was canceled before, or started. See Approvals.wait for what it throws.
 */
export type Ask = (asked: AskedCall) => Promise<"approved" | "startsNothing">;

/**
 * The gate's way to a person. Who has started a job before finds it again
 * without a question, be it by a retry or to go on reading: it was approved then
 * and runs no second time. (Another request under its name is refused by Jobs.)
 * A Cancel takes the question back.
 */
export function asking(
  approvals: Approvals,
  jobs: Pick<Jobs, "knows" | "onCancelBefore">,
  policy: () => Policy,
): Ask {
  return async ({ arrival, caller, call, revoked }) => {
    const { path, request, signal, inform } = arrival;
    const { keyId, keyName } = caller;
    const requester = { keyId, admin: false };
    const jobId = jobIdOf(request);
    // Nothing is started by that, not even where the job is forgotten before this call comes to it.
    if (jobId !== undefined && jobs.knows(requester, jobId)) return "startsNothing";
    const canceled = new AbortController();
    const stopListening =
      jobId === undefined ? () => undefined : jobs.onCancelBefore(requester, jobId, () => canceled.abort());
    const over = revoked === undefined ? signal : AbortSignal.any([signal, revoked]);
    try {
      await approvals.wait({
        asker: { keyId, keyName },
        call,
        method: path,
        requestHash: requestHash(request),
        what: questionText(path, request),
        timeoutMs: policy().askTimeoutMs ?? DEFAULT_ASK_TIMEOUT_MS,
        signal: AbortSignal.any([over, canceled.signal]),
        // While it is kept waiting the caller hears why.
        onWaiting: ({ id, expiresAtMs }) => inform({ [HEADERS.waiting]: `${id} ${expiresAtMs}` }),
      });
      return "approved";
    } catch (thrown) {
      if (canceled.signal.aborted && !over.aborted) return "startsNothing";
      throw thrown;
    } finally {
      stopListening();
    }
  };
}
