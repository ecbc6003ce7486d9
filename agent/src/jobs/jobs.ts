import { CmdopError } from "@cmdop/proto";
import { type Login, plainLogin } from "../login/login.ts";
import { CancelMarks } from "./cancel-marks.ts";
import { type Command, checkCommand, requestHash, summary } from "./exec/command.ts";
import { HeldPipes } from "./exec/held-pipes.ts";
import { runCommand } from "./exec/run-command.ts";
import { interruptedWork } from "./interrupted.ts";
import { Job, type JobIdentity } from "./job.ts";
import type { JobRecord, JobStore } from "./job-store.ts";
import { JobTable } from "./job-table.ts";
import { Journal, type JournalOptions } from "./journal/journal.ts";
import { OutputBudget } from "./journal/output-budget.ts";
import { JOB_LIMITS, type JobLimits } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import { CgroupsLeft } from "./process/cgroups-left.ts";
import { baseEnvironment, type Environment } from "./process/environment.ts";
import { born, newTrace } from "./process/job-trace.ts";
import { endMarked, endProcesses } from "./process/process-group.ts";
import { environmentOf, type JobUser } from "./process/run-as.ts";
import { removeEmptyCgroups } from "./process/seat.ts";
import { Starter, type StarterOptions } from "./process/starter.ts";
import { Room } from "./room.ts";
import { checkSession, type SessionRequest, sessionHash, sessionSummary } from "./session/request.ts";
import { runSession } from "./session/run-session.ts";
import { type JobContext, type Work, workWithout } from "./work.ts";

/** Who asks, as far as jobs care. */
export interface Requester {
  readonly keyId: string;
  /** Whether other keys' jobs are visible too. */
  readonly admin: boolean;
  /** True where its call was let in only because the job was canceled before: what it starts ends canceled and runs nothing. */
  readonly startsCanceled?: boolean | undefined;
}

/** Limits that differ from JOB_LIMITS, and what jobs inherit. */
export interface JobsOptions extends Partial<JobLimits>, StarterOptions {
  /** The environment that jobs begin with where no policy says more; by default the allow-listed part of this process's own. */
  readonly environment?: Environment;
  /** Where jobs are written down, so that they outlive the agent; without, memory is all there is. It is closed by `shutdown`. */
  readonly store?: JobStore | undefined;
  /** Told of what can't be written to disk, and why. */
  readonly onTrouble?: ((what: string, error: unknown) => void) | undefined;
  /** Told of each job that runs from now on, before anything is known of its end. */
  readonly onRunning?: ((job: Job) => void) | undefined;
}

/** What the machine's policy says of jobs; whatever is absent is as it was made. It may change while jobs run. */
export interface JobRules extends Partial<Pick<JobLimits, "outputKeptMs" | "outcomeKeptMs">> {
  /** Who jobs run as, where it is not the agent's own user. */
  readonly user?: JobUser | undefined;
  /** What a job that is started now begins with. Never rejects. */
  readonly login?: (() => Promise<Login>) | undefined;
  /** Jobs that run at once, and sessions among them; the agent's own limits stay above. */
  readonly maxRunningJobs?: number | undefined;
  readonly maxSessions?: number | undefined;
  /** How long a job runs at most, in milliseconds. */
  readonly maxJobMs?: number | undefined;
}

/** A job that has been started, now or before. */
export interface Begun {
  readonly job: Job;
  /** Whether it had been started before. */
  readonly attached: boolean;
}

/** A job as its caller asked for it. */
interface Task extends Omit<JobIdentity, "id" | "keyId"> {
  /** Called where nothing is known of the job yet; throws where it must not begin. */
  check?(): void;
  begin(context: JobContext): Work;
}

/** A run as its caller asked for it. What it does is not for this core to know. */
export type RunTask = Omit<Task, "kind">;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** All jobs of the machine. The constructor starts nothing; `shutdown` ends every job that runs. */
export class Jobs {
  readonly #made: JobLimits;
  /** In force: the same object for as long as this lives, since others hold it too. */
  readonly #limits: { -readonly [K in keyof JobLimits]: number };
  #rules: JobRules = {};
  /** Those of a session's journal: one object for all, since journals are remembered for long. */
  readonly #sessionLimits: JobLimits;
  readonly #environment: Environment | undefined;
  readonly #room: Room;
  readonly #table: JobTable;
  readonly #marks: CancelMarks;
  readonly #store: JobStore | undefined;
  readonly #onOutputTrouble: (error: unknown) => void;
  readonly #onRunning: (job: Job) => void;
  readonly #memory: OutputBudget;
  readonly #disk: OutputBudget;
  readonly #starter: Starter;
  readonly #heldPipes: HeldPipes;
  readonly #cgroups = new CgroupsLeft();
  #sweeper: NodeJS.Timeout | undefined;
  #shuttingDown = false;

  constructor(options: JobsOptions = {}) {
    const {
      environment,
      spawner,
      mayHang,
      store,
      onTrouble = () => undefined,
      onRunning = () => undefined,
      ...limits
    } = options;
    this.#made = { ...JOB_LIMITS, ...limits };
    this.#limits = { ...this.#made };
    this.#sessionLimits = { ...this.#made, maxJournalBytes: this.#made.maxSessionJournalBytes };
    this.#environment = environment;
    this.#store = store;
    this.#onOutputTrouble = (error) => onTrouble("a job's output", error);
    this.#onRunning = onRunning;
    this.#room = new Room(this.#limits);
    this.#table = new JobTable(this.#limits);
    this.#marks = new CancelMarks(this.#limits);
    const { maxOutputMemoryBytes, maxOutputBytes, maxOutputShare } = this.#limits;
    this.#memory = new OutputBudget(maxOutputMemoryBytes, (keyId) =>
      this.#table.releaseOldest(keyId, ({ journal }) => journal.heldBytes > 0),
    );
    const share = store?.capacityBytes(maxOutputShare) ?? maxOutputBytes;
    this.#disk = new OutputBudget(Math.min(maxOutputBytes, share), (keyId) =>
      this.#table.releaseOldest(keyId, ({ journal }) => journal.fileBytes > 0),
    );
    this.#heldPipes = new HeldPipes(this.#limits.maxHeldPipes);
    this.#starter = new Starter({ spawner, mayHang });
  }

  /** Makes ready what the first job would otherwise have to do without; jobs can be started before, too. */
  async warm(): Promise<void> {
    await this.#starter.warm();
  }

  /** Sets what the policy says; for jobs that begin from now on, and for how long all are remembered. */
  govern(rules: JobRules): void {
    this.#rules = rules;
    const { outputKeptMs, outcomeKeptMs, maxRunningJobs, maxSessions } = this.#made;
    Object.assign(this.#limits, {
      outputKeptMs: rules.outputKeptMs ?? outputKeptMs,
      outcomeKeptMs: rules.outcomeKeptMs ?? outcomeKeptMs,
      maxRunningJobs: Math.min(rules.maxRunningJobs ?? maxRunningJobs, maxRunningJobs),
      maxSessions: Math.min(rules.maxSessions ?? maxSessions, maxSessions),
    });
    this.#room.adapt(this.#limits);
  }

  /** Whether the requester has started a job of this name, and would find it. */
  knows({ keyId }: Requester, jobId: string): boolean {
    return this.#table.find(keyId, jobId) !== undefined;
  }

  /** Calls the listener when the requester cancels a job of this name that has not been started; the returned function ends that. */
  onCancelBefore({ keyId }: Requester, jobId: string, listener: () => void): () => void {
    return this.#marks.watch(keyId, jobId, listener);
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#table.running;
  }

  /** Output that is kept in files, in bytes. */
  get journalBytes(): number {
    return this.#disk.usedBytes;
  }

  /** Memory that all output takes, in bytes. */
  get outputBytes(): number {
    return this.#memory.usedBytes;
  }

  /**
   * Takes up what earlier lives of the agent left: jobs that ended are known
   * again, with their output; what ran when the agent died is ended, and its
   * outcome is unknown. Once, before the first start.
   */
  restore(): void {
    const stored = this.#store?.restore() ?? [];
    const ended = stored.flatMap((job) => (job.end === undefined ? [] : [{ ...job, end: job.end }]));
    for (const { end, record, ...rest } of ended.sort((a, b) => b.end.agoMs - a.end.agoMs)) {
      const journal = Journal.found(
        { ...this.#journalOptions(rest.identity, record), directory: record.directory },
        end.facts,
      );
      const ended = Job.ended({ ...rest, record, journal }, end.outcome);
      this.#table.addEnded(ended, performance.now() - end.agoMs);
      this.#cgroups.add(rest.trace);
    }
    for (const { end, record, ...rest } of stored) {
      if (end !== undefined) continue;
      const journal = Journal.found({
        ...this.#journalOptions(rest.identity, record),
        directory: record.directory,
      });
      const work = interruptedWork(rest.trace, this.#limits);
      this.#addRunning(Job.running({ ...rest, record, journal }, work));
    }
    if (stored.length > 0) this.#startSweeping();
  }

  /**
   * Starts a command under the requester's name for it, or finds the job that
   * was started so before. Synchronous, so that of two Starts at once the second
   * finds the first.
   * @throws CmdopError InvalidArgument, MessageTooLarge, JobConflict, LimitExceeded, MachineOffline (shutting down)
   */
  start(requester: Requester, jobId: string, command: Command): Begun {
    checkCommand(command);
    return this.#begin(requester, jobId, {
      kind: "exec",
      requestHash: requestHash(command),
      summary: summary(command),
      begin: (context) => runCommand(command, context),
    });
  }

  /** Starts a session, just as `start` starts a command. */
  startSession(requester: Requester, sessionId: string, request: SessionRequest): Begun {
    checkSession(request);
    return this.#begin(requester, sessionId, {
      kind: "session",
      requestHash: sessionHash(request),
      summary: sessionSummary(request),
      begin: (context) => runSession(request, context),
    });
  }

  /** Starts a run, just as `start` starts a command. */
  startRun(requester: Requester, runId: string, task: RunTask): Begun {
    return this.#begin(requester, runId, { ...task, kind: "run" });
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

  /** Ends what jobs of this key have left running behind their own end. Not jobs that run: those are stopped. */
  async endLeftBehind(keyId: string): Promise<void> {
    const traces = this.#table.list(keyId).flatMap(({ outcome, trace }) => (outcome ? [trace] : []));
    const marks = new Set(traces.map(({ mark }) => mark));
    // Its first process is gone, and what has its pid now may be anybody.
    const ofCgroups = traces.flatMap(({ leader: _, ...trace }) => (trace.cgroup ? [trace] : []));
    await Promise.all([
      endMarked((mark) => marks.has(mark), 0, this.#limits),
      ...ofCgroups.map((trace) => endProcesses(trace, this.#limits)),
    ]);
  }

  /** The newest jobs that the requester may see and wants, newest first. */
  list({ keyId, admin }: Requester, wanted: (job: Job) => boolean = () => true): Job[] {
    const jobs = this.#table.list(admin ? undefined : keyId).filter(wanted);
    return jobs.slice(-this.#limits.maxListedJobs).reverse();
  }

  /** Ends every job that runs and waits for the ends. Starts nothing from then on. `last`: what is to be done while nobody else can have the store yet. */
  async shutdown(last: () => Promise<void> = async () => undefined): Promise<void> {
    this.#shuttingDown = true;
    clearInterval(this.#sweeper);
    const running = this.#table.list(undefined).filter(({ outcome }) => outcome === undefined);
    const reason = "The machine's agent was shut down.";
    await Promise.all(running.map((job) => job.stop({ kind: "canceled", reason })));
    this.#heldPipes.closeAll();
    await this.#starter.close();
    this.#cgroups.sweep();
    removeEmptyCgroups();
    await last().finally(() => this.#store?.close());
  }

  #begin({ keyId, startsCanceled = false }: Requester, jobId: string, task: Task): Begun {
    checkUuid("A job id", jobId);
    const { begin, check, ...description } = task;
    const identity = { ...description, id: jobId, keyId };
    const known = this.#table.find(keyId, jobId);
    if (known !== undefined) {
      if (known.identity.requestHash === identity.requestHash) return { job: known, attached: true };
      throw new CmdopError("JobConflict", `Job ${jobId} was started before, with another request.`);
    }
    if (this.#shuttingDown) {
      throw new CmdopError("MachineOffline", "The machine's agent is shutting down and starts no more jobs.");
    }
    using taken = new DisposableStack();
    taken.use(this.#room.take(keyId, identity.kind));
    check?.();

    const startedAtMs = Date.now();
    const trace = newTrace();
    const record = this.#store?.begin(identity, startedAtMs, trace.mark);
    const journal = new Journal(this.#journalOptions(identity, record));
    const work =
      this.#marks.take(keyId, jobId) || startsCanceled
        ? workWithout({ kind: "canceled", reason: "Canceled before it was started.", durationMs: 0 })
        : begin({
            jobId,
            trace,
            onBorn: ({ pid, cgroup }) => {
              const birth = born(trace, pid, cgroup);
              if (birth !== undefined) record?.born(birth);
            },
            ...this.#starter.contextOf(keyId),
            journal,
            login: this.#rules.login ?? this.#plainLogin(this.#rules.user),
            user: this.#rules.user,
            maxJobMs: this.#rules.maxJobMs,
            heldPipes: this.#heldPipes,
            limits: this.#limits,
          });
    const job = Job.running({ identity, startedAtMs, journal, trace, record }, work);
    this.#addRunning(job);
    this.#startSweeping();
    const places = taken.move();
    job.ended.then(() => places.dispose());
    return { job, attached: false };
  }

  #plainLogin(user: JobUser | undefined): () => Promise<Login> {
    return async () => plainLogin(environmentOf(user, this.#environment ?? baseEnvironment()));
  }

  #addRunning(job: Job): void {
    this.#table.add(job);
    job.ended.then(() => this.#cgroups.add(job.trace));
    this.#onRunning(job);
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

  #journalOptions({ kind, keyId }: JobIdentity, record: JobRecord | undefined): JournalOptions {
    return {
      limits: kind === "session" ? this.#sessionLimits : this.#limits,
      memory: this.#memory.account(keyId),
      disk: this.#disk.account(keyId),
      directory: record?.directory,
      onTrouble: this.#onOutputTrouble,
    };
  }

  #startSweeping(): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#limits.sweepMs).unref();
  }

  #sweep(): void {
    this.#store?.retry();
    this.#store?.noteLived();
    this.#table.sweep();
    this.#cgroups.sweep();
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
