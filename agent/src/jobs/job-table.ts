import type { Job, JobKind } from "./job.ts";
import type { JobLimits } from "./limits.ts";

type Limits = Pick<JobLimits, "maxEndedJobsPerKey" | "outputKeptMs" | "outcomeKeptMs" | "maxSweptJobs">;

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
  readonly #running: Record<JobKind, number> = { exec: 0, session: 0, run: 0 };

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running.exec + this.#running.session + this.#running.run;
  }

  runningOfKind(kind: JobKind): number {
    return this.#running[kind];
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
    const ofKey = this.#of(keyId);
    ofKey.jobs.set(id, job);
    ofKey.running += 1;
    this.#running[job.identity.kind] += 1;
    job.ended.then(() => this.#ended(ofKey, job));
  }

  /** Adds a job of an earlier life, which ended at a time of this process's clock. Give the first to end first. */
  addEnded(job: Job, endedAtMs: number): void {
    const { keyId, id } = job.identity;
    const ofKey = this.#of(keyId);
    ofKey.jobs.set(id, job);
    ofKey.endedAtMs.set(job, endedAtMs);
    if (hasOutput(job)) this.#withOutput.set(job, endedAtMs);
  }

  /** Frees the output of the ended job that nobody reads and that ended first, or else of the first, of those that take what is needed; false where there is none. */
  releaseOldest(takes: (job: Job) => boolean): boolean {
    let oldest: Job | undefined;
    for (const job of this.#withOutput.keys()) {
      if (!takes(job)) continue;
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

  /** Forgets what has been kept for long enough, the longest first, as much of it as one sweep may. */
  sweep(): void {
    const { outputKeptMs, outcomeKeptMs, maxSweptJobs } = this.#limits;
    const now = performance.now();
    let left = maxSweptJobs;
    for (const [job, endedAtMs] of this.#withOutput) {
      if (now - endedAtMs < outputKeptMs || left === 0) break;
      this.#release(job);
      left -= 1;
    }
    for (const [keyId, ofKey] of this.#keys) {
      for (const [job, endedAtMs] of ofKey.endedAtMs) {
        if (now - endedAtMs < outputKeptMs + outcomeKeptMs || left === 0) break;
        this.#forget(ofKey, job);
        left -= 1;
      }
      if (ofKey.jobs.size === 0) this.#keys.delete(keyId);
    }
  }

  #ended(ofKey: JobsOfKey, job: Job): void {
    const now = performance.now();
    ofKey.running -= 1;
    this.#running[job.identity.kind] -= 1;
    ofKey.endedAtMs.set(job, now);
    if (hasOutput(job)) this.#withOutput.set(job, now);
    const [oldest] = ofKey.endedAtMs.keys();
    if (ofKey.endedAtMs.size > this.#limits.maxEndedJobsPerKey && oldest !== undefined)
      this.#forget(ofKey, oldest);
  }

  #of(keyId: string): JobsOfKey {
    const ofKey = this.#keys.get(keyId) ?? { jobs: new Map(), running: 0, endedAtMs: new Map() };
    this.#keys.set(keyId, ofKey);
    return ofKey;
  }

  #release(job: Job): void {
    this.#withOutput.delete(job);
    job.releaseOutput();
  }

  #forget(ofKey: JobsOfKey, job: Job): void {
    this.#withOutput.delete(job);
    ofKey.endedAtMs.delete(job);
    ofKey.jobs.delete(job.identity.id);
    job.forget();
  }
}

function hasOutput({ journal }: Job): boolean {
  return journal.heldBytes > 0 || journal.fileBytes > 0;
}
