import type { Job } from "./job.ts";
import type { JobLimits } from "./limits.ts";

type Limits = Pick<JobLimits, "maxEndedJobsPerKey" | "outputKeptMs" | "outcomeKeptMs">;

interface JobsOfKey {
  readonly jobs: Map<string, Job>;
  running: number;
  /** Ended jobs, the first to end first, and when they ended. */
  readonly endedAtMs: Map<Job, number>;
}

/**
 * Every job that the machine still knows, by key and id. Ended ones lose their
 * output first, and are forgotten later: what is forgotten could run again.
 */
export class JobTable {
  readonly #limits: Limits;
  readonly #keys = new Map<string, JobsOfKey>();
  /** Ended jobs that still have output, the first to end first. */
  readonly #withOutput = new Map<Job, number>();
  #running = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  runningOf(keyId: string): number {
    return this.#keys.get(keyId)?.running ?? 0;
  }

  find(keyId: string, jobId: string): Job | undefined {
    return this.#keys.get(keyId)?.jobs.get(jobId);
  }

  /** The jobs of this name, whosever they are. */
  findAll(jobId: string): Job[] {
    return [...this.#keys.values()].flatMap(({ jobs }) => jobs.get(jobId) ?? []);
  }

  /** The jobs of one key, or all, in the order of their starts. */
  list(keyId: string | undefined): Job[] {
    if (keyId !== undefined) return [...(this.#keys.get(keyId)?.jobs.values() ?? [])];
    const all = [...this.#keys.values()].flatMap(({ jobs }) => [...jobs.values()]);
    return all.sort((a, b) => a.startedAtMs - b.startedAtMs);
  }

  /** Adds a job that runs; its end is noted when it comes. */
  add(job: Job): void {
    const { keyId, id } = job.identity;
    const ofKey = this.#keys.get(keyId) ?? { jobs: new Map(), running: 0, endedAtMs: new Map() };
    this.#keys.set(keyId, ofKey);
    ofKey.jobs.set(id, job);
    ofKey.running += 1;
    this.#running += 1;
    job.ended.then(() => this.#ended(ofKey, job));
  }

  /** Frees the output of the ended job that nobody reads and that ended first, or else of the first; false where there is none. */
  releaseOldest(): boolean {
    let oldest: Job | undefined;
    for (const job of this.#withOutput.keys()) {
      oldest ??= job;
      if (job.journal.readers === 0) {
        oldest = job;
        break;
      }
    }
    if (oldest === undefined) return false;
    this.#release(oldest);
    return true;
  }

  /** Forgets what has been kept for long enough. */
  sweep(): void {
    const now = performance.now();
    for (const [job, endedAtMs] of this.#withOutput) {
      if (now - endedAtMs < this.#limits.outputKeptMs) break;
      this.#release(job);
    }
    for (const [keyId, ofKey] of this.#keys) {
      for (const [job, endedAtMs] of ofKey.endedAtMs) {
        if (now - endedAtMs < this.#limits.outputKeptMs + this.#limits.outcomeKeptMs) break;
        this.#forget(ofKey, job);
      }
      if (ofKey.jobs.size === 0) this.#keys.delete(keyId);
    }
  }

  #ended(ofKey: JobsOfKey, job: Job): void {
    const now = performance.now();
    ofKey.running -= 1;
    this.#running -= 1;
    ofKey.endedAtMs.set(job, now);
    if (job.journal.heldBytes > 0) this.#withOutput.set(job, now);
    const [oldest] = ofKey.endedAtMs.keys();
    if (ofKey.endedAtMs.size > this.#limits.maxEndedJobsPerKey && oldest !== undefined)
      this.#forget(ofKey, oldest);
  }

  #release(job: Job): void {
    this.#withOutput.delete(job);
    job.journal.release();
  }

  #forget(ofKey: JobsOfKey, job: Job): void {
    this.#release(job);
    ofKey.endedAtMs.delete(job);
    ofKey.jobs.delete(job.identity.id);
  }
}
