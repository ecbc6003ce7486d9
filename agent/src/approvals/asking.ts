import { type Arrival, CmdopError, HEADERS, methodRule } from "@cmdop/proto";
import { jobIdOf } from "../audit/describe.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Caller } from "../policy/caller.ts";
import type { LivePolicy } from "../policy/live-policy.ts";
import { DEFAULT_ASK_TIMEOUT_MS } from "../policy/policy.ts";
import { resourceOf } from "../policy/resource.ts";
import type { Approvals } from "./approvals.ts";
import { boundHash } from "./binding.ts";
import { checkShowable, questionText } from "./question.ts";

/**
 * Calls of one key whose hash and description are made at the same time: more than may wait, retries
 * included.
 */
const MAX_PREPARED_PER_KEY = 16;

/** A call that must wait for a person because of the policy. */
export interface AskedCall {
  readonly arrival: Arrival;
  readonly caller: Caller;
  /** Id of the call. */
  readonly call: string;
  /** Aborts when the right of the calling key ends. */
  readonly revoked?: AbortSignal | undefined;
}

/**
 * Waits until the call may run. Returns the approval, or `startsNothing` if none is needed because the job
 * was started or canceled before. Throws as Approvals.wait.
 */
export type Ask = (asked: AskedCall) => Promise<"startsNothing" | Approved>;

/** A person's approval. */
export interface Approved {
  /**
   * Checks that the call about to run is the approved one. Called last, with the caller as the gate admits it
   * now.
   * @throws CmdopError ApprovalRefused for any difference
   */
  readonly check: (caller: Caller) => Promise<void>;
}

/**
 * Returns the function by which the gate asks a person. A caller who has started a job before reaches it
 * again without a question, by a retry or to read on: the job was approved then and does not run a second
 * time. (Jobs refuses another request under the same id.) A Cancel withdraws the question.
 */
export function asking(
  approvals: Approvals,
  jobs: Pick<Jobs, "knows" | "onCancelBefore">,
  inForce: Pick<LivePolicy, "policy" | "shells">,
): Ask {
  const prepared = new Prepared();
  return async ({ arrival, caller, call, revoked }) => {
    const { path, request, signal, inform } = arrival;
    const { keyId, keyName } = caller;
    const requester = { keyId, admin: false };
    const jobId = jobIdOf(request);
    // The call then starts nothing, even if the job is forgotten before the call is carried out.
    if (jobId !== undefined && jobs.knows(requester, jobId)) return "startsNothing";
    const canceled = new AbortController();
    const stopListening =
      jobId === undefined ? () => undefined : jobs.onCancelBefore(requester, jobId, () => canceled.abort());
    const over = revoked === undefined ? signal : AbortSignal.any([signal, revoked]);
    const hashFor = (by: Caller): Promise<string> => {
      const { policy, shells } = inForce;
      const resource = resourceOf(methodRule(path), request, shells);
      return boundHash({ path, request, caller: by, resource, user: policy.user });
    };
    try {
      const asker = { keyId, keyName };
      const { requestHash, what } = await prepared.of(keyId, async () => {
        // Cheap checks come first.
        checkShowable(path, request);
        const requestHash = await hashFor(caller);
        approvals.checkRoom({ asker, method: path, requestHash });
        return { requestHash, what: await questionText(path, request, inForce.shells) };
      });
      await approvals.wait({
        asker,
        call,
        method: path,
        requestHash,
        what,
        timeoutMs: inForce.policy.askTimeoutMs ?? DEFAULT_ASK_TIMEOUT_MS,
        signal: AbortSignal.any([over, canceled.signal]),
        // The caller is told why it waits.
        onWaiting: ({ id, expiresAtMs }) => inform({ [HEADERS.waiting]: `${id} ${expiresAtMs}` }),
      });
      return {
        check: async (by) => {
          if ((await hashFor(by)) !== requestHash) throw changed();
        },
      };
    } catch (thrown) {
      if (canceled.signal.aborted && !over.aborted) return "startsNothing";
      throw thrown;
    } finally {
      stopListening();
    }
  };
}

/**
 * Counts the calls whose hash and description are being made, by key, so that a key that sends many does not
 * keep others waiting.
 */
class Prepared {
  readonly #calls = new Map<string, number>();

  /** @throws CmdopError LimitExceeded */
  async of<T>(keyId: string, prepare: () => Promise<T>): Promise<T> {
    const calls = this.#calls.get(keyId) ?? 0;
    if (calls >= MAX_PREPARED_PER_KEY)
      throw new CmdopError(
        "LimitExceeded",
        `${calls} calls of this key are being prepared for approval at once.`,
      );
    this.#calls.set(keyId, calls + 1);
    try {
      return await prepare();
    } finally {
      const left = (this.#calls.get(keyId) ?? 1) - 1;
      if (left === 0) this.#calls.delete(keyId);
      else this.#calls.set(keyId, left);
    }
  }
}

function changed(): CmdopError {
  return new CmdopError(
    "ApprovalRefused",
    "This is not what was approved: the call, the limits of its key, or the machine's policy has changed since.",
    { next: "Call again: a person then sees the call as it is now." },
  );
}
