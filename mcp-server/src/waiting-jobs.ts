import type { WaitingForApproval } from "@cmdop/sdk";
import { MAX_WAITING_JOBS } from "./limits.ts";

/** What can be waited for: a command or a run that is being watched. */
export interface Waitable {
  /** Whether the machine has said that it runs. */
  readonly hasStarted: boolean;
  /** Stops watching. The job goes on. */
  leave(): Promise<void>;
}

/** A command or a run, and whether it waits for a person, as far as the machine has said. */
export interface WaitingJob<Job extends Waitable> {
  readonly job: Job;
  readonly waiting: () => WaitingForApproval | undefined;
}

/**
 * Commands or runs that wait for a person and whose calls have been answered meanwhile.
 * A machine keeps such a question open only while somebody waits for its
 * answer: this server does, until its wait tool comes back for it.
 */
export class WaitingJobs<Job extends Waitable> {
  readonly #jobs = new Map<string, WaitingJob<Job>>();

  /** Goes on waiting for a job; beyond the bound the oldest is given up. */
  keep(jobId: string, waitingJob: WaitingJob<Job>, report: (error: unknown) => void): void {
    this.#jobs.set(jobId, waitingJob);
    const [oldest] = this.#jobs.keys();
    if (this.#jobs.size > MAX_WAITING_JOBS && oldest !== undefined) this.#giveUp(oldest, report);
  }

  /** Hands the job back, unless it has begun: then it is followed like any other. */
  take(jobId: string, report: (error: unknown) => void): WaitingJob<Job> | undefined {
    const found = this.#jobs.get(jobId);
    if (found?.job.hasStarted) {
      this.#giveUp(jobId, report);
      return undefined;
    }
    this.#jobs.delete(jobId);
    return found;
  }

  #giveUp(jobId: string, report: (error: unknown) => void): void {
    this.#jobs.get(jobId)?.job.leave().catch(report);
    this.#jobs.delete(jobId);
  }
}
