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

/** Resolves when the call may run; see Approvals.wait for what it throws. */
export type Ask = (asked: AskedCall) => Promise<void>;

/**
 * The gate's way to a person. Who has started a job before finds it again
 * without a question, be it by a retry or to go on reading: it was approved then
 * and runs no second time. (Another request under its name is refused by Jobs.)
 */
export function asking(approvals: Approvals, jobs: Pick<Jobs, "knows">, policy: () => Policy): Ask {
  return async ({ arrival, caller, call, revoked }) => {
    const { path, request, signal, inform } = arrival;
    const { keyId, keyName } = caller;
    const jobId = jobIdOf(request);
    if (jobId !== undefined && jobs.knows({ keyId, admin: false }, jobId)) return;
    await approvals.wait({
      asker: { keyId, keyName },
      call,
      method: path,
      requestHash: requestHash(request),
      what: questionText(path, request),
      timeoutMs: policy().askTimeoutMs ?? DEFAULT_ASK_TIMEOUT_MS,
      signal: revoked === undefined ? signal : AbortSignal.any([signal, revoked]),
      // While it is kept waiting the caller hears why.
      onWaiting: ({ id, expiresAtMs }) => inform({ [HEADERS.waiting]: `${id} ${expiresAtMs}` }),
    });
  };
}
