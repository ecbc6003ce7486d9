import { Holdings } from "../shares/holdings.ts";
import type { Job } from "./job.ts";
import type { JobLimits } from "./limits.ts";

type Limits = Pick<JobLimits, "maxEndedJobs" | "outputKeptMs" | "outcomeKeptMs" | "maxSweptJobs">;

interface JobsOfKey {
  readonly jobs: Map<string, Job>;
  /** Ended jobs, the first to end first, and when they ended. */
  readonly endedAtMs: Map<Job, number>;
  /** Those of them that still have output, in the same order. */
  readonly withOutput: Set<Job>;
}

/**
 * Every job that the machine still knows, by key and id. Ended ones lose their
 * output first, and are forgotten later: what is forgotten could run again.
 */
export class JobTable {
  readonly #limits: Limits;
  readonly #keys = new Map<string, JobsOfKey>();
  readonly #ended = new Holdings();
  #running = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Jobs that run. */
  get running(): number {
    return this.#running;
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
    this.#running += 1;
    job.ended.then(() => {
      this.#running -= 1;
      this.#keep(ofKey, job, performance.now());
    });
  }

  /** Adds a job of an earlier life, which ended at a time of this process's clock. Give the first to end first. */
  addEnded(job: Job, endedAtMs: number): void {
    const { keyId, id } = job.identity;
    const ofKey = this.#of(keyId);
    ofKey.jobs.set(id, job);
    this.#keep(ofKey, job, endedAtMs);
  }

  /**
   * Frees the output of an ended job of this key, of those that take what is
   * needed: of the one that nobody reads and that ended first, or else of the
   * first. False where there is none.
   */
  releaseOldest(keyId: string, takes: (job: Job) => boolean): boolean {
    const ofKey = this.#of(keyId);
    let oldest: Job | undefined;
    for (const job of ofKey.withOutput) {
      if (!takes(job)) continue;
      oldest ??= job;
      if (job.journal.readers === 0) {
        oldest = job;
        break;
      }
    }
    if (oldest === undefined) return false;
    this.#release(ofKey, oldest);
    return true;
  }

  /** Forgets what has been kept for long enough, the longest first, as much of it as one sweep may. */
  sweep(): void {
    const { outputKeptMs, outcomeKeptMs, maxSweptJobs } = this.#limits;
    const now = performance.now();
    let left = maxSweptJobs;
    for (const ofKey of this.#keys.values()) {
      for (const job of ofKey.withOutput) {
        if (now - (ofKey.endedAtMs.get(job) ?? now) < outputKeptMs || left === 0) break;
        this.#release(ofKey, job);
        left -= 1;
      }
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

  #keep(ofKey: JobsOfKey, job: Job, endedAtMs: number): void {
    ofKey.endedAtMs.set(job, endedAtMs);
    if (hasOutput(job)) ofKey.withOutput.add(job);
    this.#ended.count(job.identity.keyId, 1);
    const [most] = this.#ended.beyond(this.#limits.maxEndedJobs);
    if (most === undefined) return;
    const [oldest] = this.#of(most).endedAtMs.keys();
    if (oldest !== undefined) this.#forget(this.#of(most), oldest);
  }

  #of(keyId: string): JobsOfKey {
    const ofKey = this.#keys.get(keyId) ?? { jobs: new Map(), endedAtMs: new Map(), withOutput: new Set() };
    this.#keys.set(keyId, ofKey);
    return ofKey;
  }

  #release(ofKey: JobsOfKey, job: Job): void {
    ofKey.withOutput.delete(job);
    job.releaseOutput();
  }

  #forget(ofKey: JobsOfKey, job: Job): void {
    ofKey.withOutput.delete(job);
    if (ofKey.endedAtMs.delete(job)) this.#ended.count(job.identity.keyId, -1);
    ofKey.jobs.delete(job.identity.id);
    job.forget();
  }
}

function hasOutput({ journal }: Job): boolean {
  return journal.heldBytes > 0 || journal.fileBytes > 0;
}
