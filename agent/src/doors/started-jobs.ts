import { BoundedMap } from "@cmdop/kit";
import type { Job } from "../jobs/index.ts";
import type { OpenCalls } from "./open-calls.ts";
import { endOf, isNewer, type Standing, type Statements } from "./standing.ts";

/** Keys that are remembered though nothing of theirs runs: what their jobs left behind may. The first are forgotten first. */
const MAX_IDLE_KEYS = 1_000;

interface OfKey {
  standing: Standing;
  /** Those that run. */
  readonly jobs: Set<Job>;
}

/**
 * The jobs that run, by the key that started them, which may have left long ago:
 * when its right on this machine ends they end too, and with them what its ended
 * jobs have left running, unless its grant lets its jobs live on. Jobs of the local
 * socket's own callers are not among them: that right has no end.
 */
export class StartedJobs {
  readonly #calls: OpenCalls;
  readonly #endLeftBehind: (keyId: string) => void;
  /** Keys of which something runs. */
  readonly #keys = new Map<string, OfKey>();
  /** Keys of which nothing runs any more, in the order in which that became so. */
  readonly #idle = new BoundedMap<string, OfKey>(MAX_IDLE_KEYS);

  /** `endLeftBehind` ends what jobs of the key have left running behind their own end. */
  constructor(calls: OpenCalls, endLeftBehind: (keyId: string) => void) {
    this.#calls = calls;
    this.#endLeftBehind = endLeftBehind;
  }

  /** Watches a job from its start on. */
  add(job: Job): void {
    const { keyId } = job.identity;
    const known = this.#keys.get(keyId) ?? this.#idle.get(keyId);
    // A job is started by a call, or by a job of the same key that a call has started.
    const standing = this.#calls.standingOf(keyId) ?? known?.standing;
    // Without: a caller without a token, or what an earlier life of the agent left and is being ended anyway.
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

  /** A key has called: where an owner has granted it anew, its jobs go by the new grant. */
  renew(standing: Standing): void {
    const ofKey = this.#keys.get(standing.keyId) ?? this.#idle.get(standing.keyId);
    if (ofKey !== undefined && isNewer(standing, ofKey.standing)) ofKey.standing = standing;
  }

  /** Ends the jobs of keys whose right has ended, and what they have left. */
  check(statements: Statements): void {
    for (const [keyId, { standing, jobs }] of [...this.#keys, ...this.#idle]) {
      if (standing.granted?.grant.jobs === "live") continue;
      const end = endOf(standing, statements);
      if (end === undefined) continue;
      const reason = `The key that started it may no longer use this machine. ${end.message}`;
      for (const job of jobs) job.stop({ kind: "canceled", reason });
      // Those that run are looked after by their own end, after which this comes again.
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
