import { CmdopError } from "@cmdop/proto";
import { CancelMarks } from "./cancel-marks.ts";
import { type Command, checkCommand, requestHash, summary } from "./command.ts";
import { baseEnvironment, type Environment } from "./environment.ts";
import { HeldPipes } from "./held-pipes.ts";
import { Job } from "./job.ts";
import { JobTable } from "./job-table.ts";
import { Journal } from "./journal.ts";
import { JOB_LIMITS, type JobLimits } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import { OutputBudget } from "./output-budget.ts";
import { PipePool } from "./pipe-pool.ts";
import { runCommand } from "./run-command.ts";
import { Spawner } from "./spawner.ts";
import { workWithout } from "./work.ts";

/** Who asks, as far as jobs care. */
export interface Requester {
  readonly keyId: string;
  /** Whether other keys' jobs are visible too. */
  readonly admin: boolean;
}

/** Limits that differ from JOB_LIMITS, and what jobs inherit. */
export interface JobsOptions extends Partial<JobLimits> {
  /** The environment that jobs begin with; by default the allow-listed part of this process's own. */
  readonly environment?: Environment;
  /** Whether a small helper process starts the commands (Linux only), so that the agent's own memory does not slow each start. By default it does. */
  readonly spawner?: boolean;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** All jobs of the machine. The constructor starts nothing; `shutdown` ends every job that runs. */
export class Jobs {
  readonly #limits: JobLimits;
  readonly #environment: Environment;
  readonly #table: JobTable;
  readonly #marks: CancelMarks;
  readonly #budget: OutputBudget;
  readonly #spawner: Spawner;
  readonly #pipes: PipePool;
  readonly #heldPipes: HeldPipes;
  #sweeper: NodeJS.Timeout | undefined;
  #shuttingDown = false;

  constructor({ environment = baseEnvironment(), spawner = true, ...limits }: JobsOptions = {}) {
    this.#limits = { ...JOB_LIMITS, ...limits };
    this.#environment = environment;
    this.#table = new JobTable(this.#limits);
    this.#marks = new CancelMarks(this.#limits);
    this.#budget = new OutputBudget(this.#limits.maxOutputBytes, () => this.#table.releaseOldest());
    this.#heldPipes = new HeldPipes(this.#limits.maxHeldPipes);
    this.#spawner = new Spawner({ enabled: spawner });
    this.#pipes = new PipePool(this.#spawner);
  }

  /** Makes ready what the first job would otherwise have to do without; jobs can be started before, too. */
  async warm(): Promise<void> {
    await this.#spawner.warm();
    await this.#pipes.warm();
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#table.running;
  }

  /** Memory that all output takes, in bytes. */
  get outputBytes(): number {
    return this.#budget.usedBytes;
  }

  /**
   * Starts a command under the requester's name for it, or finds the job that
   * was started so before. Synchronous, so that of two Starts at once the second
   * finds the first.
   * @throws CmdopError InvalidArgument, MessageTooLarge, JobConflict, LimitExceeded, MachineOffline (shutting down)
   */
  start({ keyId }: Requester, jobId: string, command: Command): { job: Job; attached: boolean } {
    checkUuid("A job id", jobId);
    checkCommand(command);
    const identity = { id: jobId, keyId, requestHash: requestHash(command), summary: summary(command) };
    const known = this.#table.find(keyId, jobId);
    if (known !== undefined) {
      if (known.identity.requestHash === identity.requestHash) return { job: known, attached: true };
      throw new CmdopError("JobConflict", `Job ${jobId} was started before, with another request.`);
    }
    this.#checkRoom(keyId);

    const journal = new Journal(this.#limits, this.#budget);
    const work = this.#marks.take(keyId, jobId)
      ? workWithout({
          kind: "canceled",
          reason: "Canceled before it was started.",
          signal: undefined,
          durationMs: 0,
        })
      : runCommand(command, {
          jobId,
          journal,
          environment: this.#environment,
          pipes: this.#pipes,
          spawner: this.#spawner,
          heldPipes: this.#heldPipes,
          limits: this.#limits,
        });
    const job = new Job(identity, journal, work);
    this.#table.add(job);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#limits.sweepMs).unref();
    return { job, attached: false };
  }

  /** A job that the requester may see. @throws CmdopError JobUnknown */
  get(requester: Requester, jobId: string): Job {
    const job = this.#find(requester, jobId);
    if (job !== undefined) return job;
    throw new CmdopError(
      "JobUnknown",
      `This machine knows no job ${JSON.stringify(jobId.slice(0, 36))} of this key.`,
    );
  }

  /**
   * Ends a job and waits for its outcome: `canceled` unless it had ended before.
   * Where there is no such job the outcome is `unknown`, and a mark is left for
   * a Start that is still on its way.
   */
  async cancel(requester: Requester, jobId: string): Promise<Outcome> {
    checkUuid("A job id", jobId);
    const job = this.#find(requester, jobId);
    if (job !== undefined) return job.stop({ kind: "canceled", reason: "Canceled by its caller." });
    this.#marks.leave(requester.keyId, jobId);
    const seconds = Math.round(this.#limits.cancelMarkMs / 1000);
    return {
      kind: "unknown",
      reason: `This machine knows no such job. Should its Start arrive within ${seconds} s, it will end canceled.`,
      durationMs: 0,
    };
  }

  /** The newest jobs that the requester may see, newest first. */
  list({ keyId, admin }: Requester): Job[] {
    const jobs = this.#table.list(admin ? undefined : keyId);
    return jobs.slice(-this.#limits.maxListedJobs).reverse();
  }

  /** Ends every job that runs and waits for the ends. Starts nothing from then on. */
  async shutdown(): Promise<void> {
    this.#shuttingDown = true;
    clearInterval(this.#sweeper);
    const running = this.#table.list(undefined).filter(({ outcome }) => outcome === undefined);
    const reason = "The machine's agent was shut down.";
    await Promise.all(running.map((job) => job.stop({ kind: "canceled", reason })));
    this.#heldPipes.closeAll();
    await this.#spawner.close();
    await this.#pipes.close();
  }

  #find({ keyId, admin }: Requester, jobId: string): Job | undefined {
    const own = this.#table.find(keyId, jobId);
    if (own !== undefined || !admin) return own;
    const [first, ...others] = this.#table.findAll(jobId);
    if (others.length === 0) return first;
    throw new CmdopError("JobConflict", `Several keys have a job ${jobId}.`, {
      next: "Use the key that the job belongs to.",
    });
  }

  #checkRoom(keyId: string): void {
    if (this.#shuttingDown) {
      throw new CmdopError("MachineOffline", "The machine's agent is shutting down and starts no more jobs.");
    }
    const { maxRunningJobs, maxRunningJobsPerKey } = this.#limits;
    if (this.#table.running >= maxRunningJobs) {
      throw new CmdopError("LimitExceeded", `${maxRunningJobs} jobs run on this machine already, its limit.`);
    }
    if (this.#table.runningOf(keyId) >= maxRunningJobsPerKey) {
      throw new CmdopError(
        "LimitExceeded",
        `${maxRunningJobsPerKey} jobs of this key run already, its limit.`,
      );
    }
  }

  #sweep(): void {
    this.#table.sweep();
    this.#marks.sweep();
  }
}

/** @throws CmdopError InvalidArgument */
export function checkUuid(what: string, value: string): void {
  if (UUID.test(value)) return;
  throw new CmdopError(
    "InvalidArgument",
    `${what} must be a UUID, not ${JSON.stringify(value.slice(0, 40))}.`,
  );
}
