import type { WaitingForApproval } from "@cmdop/sdk";
import type { FollowedJob } from "./follow-job.ts";
import { MAX_WAITING_JOBS } from "./limits.ts";

/** A command, and whether it waits for a person, as far as the machine has said. */
export interface WaitingJob {
  readonly job: FollowedJob;
  readonly waiting: () => WaitingForApproval | undefined;
}

/**
 * Commands that wait for a person and whose calls have been answered meanwhile.
 * A machine keeps such a question open only while somebody waits for its
 * answer: this server does, until terminal_wait comes back for it.
 */
export class WaitingJobs {
  readonly #jobs = new Map<string, WaitingJob>();

  /** Goes on waiting for a command; beyond the bound the oldest is given up. */
  keep(jobId: string, waitingJob: WaitingJob, report: (error: unknown) => void): void {
    this.#jobs.set(jobId, waitingJob);
    const [oldest] = this.#jobs.keys();
    if (this.#jobs.size > MAX_WAITING_JOBS && oldest !== undefined) this.#giveUp(oldest, report);
  }

  /** Hands the command back, unless it has begun: then it is followed like any other. */
  take(jobId: string, report: (error: unknown) => void): WaitingJob | undefined {
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
