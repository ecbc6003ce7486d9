import { BoundedMap } from "@cmdop/kit";
import type { Job } from "../jobs/index.ts";
import type { OpenCalls } from "./open-calls.ts";
import { endOf, isNewer, type Standing, type Statements } from "./standing.ts";

/**
 * Idle keys that are remembered, because processes that their jobs left behind may still run. The oldest are
 * forgotten first.
 */
const MAX_IDLE_KEYS = 1_000;

interface OfKey {
  standing: Standing;
  /** Jobs that run. */
  readonly jobs: Set<Job>;
}

/**
 * The running jobs by the key that started them, which may have disconnected long ago. When the key's right
 * on this machine ends, its jobs end, and so do the processes that its ended jobs left behind, unless its
 * grant lets its jobs live on. Jobs of local callers without a token are not included: their right has no
 * end.
 */
export class StartedJobs {
  readonly #calls: OpenCalls;
  readonly #endLeftBehind: (keyId: string) => void;
  /** Keys with running jobs. */
  readonly #keys = new Map<string, OfKey>();
  /** Keys without running jobs, in the order in which their last job ended. */
  readonly #idle = new BoundedMap<string, OfKey>(MAX_IDLE_KEYS);

  /** `endLeftBehind` ends the processes that the key's ended jobs left running. */
  constructor(calls: OpenCalls, endLeftBehind: (keyId: string) => void) {
    this.#calls = calls;
    this.#endLeftBehind = endLeftBehind;
  }

  /** Watches a job from its start. */
  add(job: Job): void {
    const { keyId } = job.identity;
    const known = this.#keys.get(keyId) ?? this.#idle.get(keyId);
    // A job is started by a call, or by a job of the same key that a call has started.
    const standing = this.#calls.standingOf(keyId) ?? known?.standing;
    // No right: the caller has no token, or the job is a remnant of an earlier agent process and is being
    // ended anyway.
    if (standing === undefined) return;
    const ofKey = known ?? { standing, jobs: new Set<Job>() };
    ofKey.jobs.add(job);
    this.#idle.delete(keyId);
    this.#keys.set(keyId, ofKey);
    this.renew(standing);
    job.ended.then(() => {
      ofKey.jobs.delete(job);
      if (ofKey.jobs.size === 0) this.#rest(keyId, ofKey);
    });
  }

  /** Updates the right of a key that has called: after a new grant, the new one applies to its jobs. */
  renew(standing: Standing): void {
    const ofKey = this.#keys.get(standing.keyId) ?? this.#idle.get(standing.keyId);
    if (ofKey !== undefined && isNewer(standing, ofKey.standing)) ofKey.standing = standing;
  }

  /** Ends the jobs of keys whose right has ended, and the processes that their jobs left behind. */
  check(statements: Statements): void {
    for (const [keyId, { standing, jobs }] of [...this.#keys, ...this.#idle]) {
      if (standing.granted?.grant.jobs === "live") continue;
      const end = endOf(standing, statements);
      if (end === undefined) continue;
      const reason = `The key that started it may no longer use this machine. ${end.message}`;
      for (const job of jobs) job.stop({ kind: "canceled", reason });
      // Running jobs end first; a later check then ends the processes that are left.
      if (jobs.size > 0) continue;
      this.#idle.delete(keyId);
      this.#endLeftBehind(keyId);
    }
  }

  #rest(keyId: string, ofKey: OfKey): void {
    this.#keys.delete(keyId);
    this.#idle.set(keyId, ofKey);
  }
}
