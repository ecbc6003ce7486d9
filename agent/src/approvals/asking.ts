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

/** Calls of one key whose requests are made into hash and text at once: more than may wait, with their retries. */
const MAX_PREPARED_PER_KEY = 16;

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
export type Ask = (asked: AskedCall) => Promise<"startsNothing" | Approved>;

/** A yes of a person. */
export interface Approved {
  /**
   * Whether what is carried out is what was approved: to be asked last, with the
   * caller as the gate lets it in now. @throws CmdopError ApprovalRefused for any difference
   */
  readonly check: (caller: Caller) => Promise<void>;
}

/**
 * The gate's way to a person. Who has started a job before finds it again
 * without a question, be it by a retry or to go on reading: it was approved then
 * and runs no second time. (Another request under its name is refused by Jobs.)
 * A Cancel takes the question back.
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
    // Nothing is started by that, not even where the job is forgotten before this call comes to it.
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
        // Whatever is cheap comes first.
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
        // While it is kept waiting the caller hears why.
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

/** What is being made into hash and text, by key: however much a key sends, others are served. */
class Prepared {
  readonly #calls = new Map<string, number>();

  /** @throws CmdopError LimitExceeded */
  async of<T>(keyId: string, prepare: () => Promise<T>): Promise<T> {
    const calls = this.#calls.get(keyId) ?? 0;
    if (calls >= MAX_PREPARED_PER_KEY)
      throw new CmdopError("LimitExceeded", `${calls} calls of this key are being put to a person at once.`);
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
    "What would run now is not what was approved: the call, what its key may touch, or the machine's policy has changed meanwhile.",
    { next: "Ask again: a person then sees what would run now." },
  );
}
