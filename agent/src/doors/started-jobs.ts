import type { Job } from "../jobs/index.ts";
import type { OpenCalls } from "./open-calls.ts";
import { endOf, isNewer, type Standing, type Statements } from "./standing.ts";

interface OfKey {
  standing: Standing;
  /** Those that run. */
  readonly jobs: Set<Job>;
}

/**
 * The jobs that run, by the key that started them, which may have left long ago:
 * when its right on this machine ends they end too, unless its grant lets them
 * live on. As many as the jobs core lets run. Jobs of the local socket's own
 * callers are not among them: that right has no end.
 */
export class StartedJobs {
  readonly #calls: OpenCalls;
  readonly #keys = new Map<string, OfKey>();

  constructor(calls: OpenCalls) {
    this.#calls = calls;
  }

  /** Watches a job from its start on. */
  add(job: Job): void {
    const { keyId } = job.identity;
    const known = this.#keys.get(keyId);
    // A job is started by a call, or by a job of the same key that a call has started.
    const standing = this.#calls.standingOf(keyId) ?? known?.standing;
    // Without: a caller without a token, or what an earlier life of the agent left and is being ended anyway.
    if (standing === undefined) return;
    const ofKey = known ?? { standing, jobs: new Set<Job>() };
    ofKey.jobs.add(job);
    this.#keys.set(keyId, ofKey);
    this.renew(standing);
    job.ended.then(() => {
      ofKey.jobs.delete(job);
      if (ofKey.jobs.size === 0) this.#keys.delete(keyId);
    });
  }

  /** A key has called: where an owner has granted it anew, its jobs go by the new grant. */
  renew(standing: Standing): void {
    const ofKey = this.#keys.get(standing.keyId);
    if (ofKey !== undefined && isNewer(standing, ofKey.standing)) ofKey.standing = standing;
  }

  /** Ends the jobs of keys whose right has ended. */
  check(statements: Statements): void {
    for (const { standing, jobs } of [...this.#keys.values()]) {
      if (standing.granted?.grant.jobs === "live") continue;
      const end = endOf(standing, statements);
      if (end === undefined) continue;
      const reason = `The key that started it may no longer use this machine. ${end.message}`;
      for (const job of jobs) job.stop({ kind: "canceled", reason });
    }
  }
}
