import type { MachineCaller } from "../connection/caller.ts";
import { Collected } from "./collect.ts";
import { createSession } from "./create-session.ts";
import { ExecError } from "./exec-error.ts";
import { ExecRun } from "./exec-run.ts";
import { bytesOf } from "./feed-input.ts";
import { cancelJob, listJobs, signalJob } from "./jobs-calls.ts";
import { Keyboards } from "./keyboards.ts";
import { wireOffset } from "./offset.ts";
import { eventsWithin, runningExec } from "./running-exec.ts";
import { Session } from "./session.ts";
import type {
  AttachOptions,
  CreateOptions,
  HistoryOptions,
  JobInfo,
  JobsOptions,
  Screen,
  SessionChunk,
  SessionHistory,
  WaitOptions,
  WaitResult,
} from "./session-types.ts";
import { prepareStart } from "./start-request.ts";
import type {
  ExecCommand,
  ExecEnd,
  ExecEvent,
  ExecOptions,
  ExecResult,
  ExecuteOptions,
  PatientExecuteOptions,
  ResumeOptions,
  ResumeStreamOptions,
  RunningExec,
} from "./types.ts";

/** Commands and terminals on one machine. */
export class Terminal {
  readonly #caller: MachineCaller;
  readonly #keyboards: Keyboards;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
    this.#keyboards = new Keyboards(caller);
  }

  /**
   * Runs a command to its end: a string as a line of the user's shell (see `shell`), an array as argv with no
   * shell in between. A command that fails returns a result, and throws only with `check: true`. With
   * `waitMs` the result of a command that takes longer is a handle. Throws a CmdopError when the command
   * could not be started (RelayUnreachable, MachineOffline, PermissionDenied …).
   */
  execute(command: ExecCommand, options: PatientExecuteOptions): Promise<ExecResult | RunningExec>;
  execute(command: ExecCommand, options?: ExecuteOptions): Promise<ExecResult>;
  async execute(
    command: ExecCommand,
    options: ExecuteOptions & Partial<PatientExecuteOptions> = {},
  ): Promise<ExecResult | RunningExec> {
    const { waitMs, maxOutputBytes, check } = options;
    const { jobId, request, streamedStdin } = prepareStart(command, options);
    const run = new ExecRun(this.#caller, { ...options, jobId, stdin: streamedStdin });
    const collected = new Collected(maxOutputBytes);
    const checked = (result: ExecResult): ExecResult => checkedExec(command, result, check);
    const leave = new AbortController();
    const events = run.events({ start: request, after: 0n, leave, feedsOn: true });
    await collected.read(eventsWithin(events, waitMs, leave, () => run.loss !== undefined));
    if (collected.isEnded || !leave.signal.aborted) return checked(collected.result());
    return runningExec({
      jobId,
      collected,
      loss: run.loss,
      // If it is unknown whether the first start has arrived, it is sent again: the same id never runs twice.
      eventsAfter: (after) =>
        run.events({ after: BigInt(after), ...(run.hasStarted ? {} : { start: request }) }),
      checked,
      cancel: () => this.cancel(jobId),
    });
  }

  /**
   * Runs a command and yields its events as they come; the last is `ended`. The command goes on when the
   * reader stops reading (also by `return()` while a `next()` is pending): only its end, its `timeoutMs`, the
   * `signal` or `cancel` end it.
   */
  stream(command: ExecCommand, options: ExecOptions = {}): AsyncGenerator<ExecEvent, void, void> {
    const { jobId, request, streamedStdin } = prepareStart(command, options);
    const run = new ExecRun(this.#caller, { ...options, jobId, stdin: streamedStdin });
    return run.events({ start: request, after: 0n });
  }

  /**
   * Follows a command, which this program or another with the same key has started, to its end. The result
   * has the output from `after` on.
   * @throws CmdopError JobUnknown where the machine does not know the job (any more)
   */
  async resume(jobId: string, options: ResumeOptions = {}): Promise<ExecResult> {
    const collected = new Collected(options.maxOutputBytes, Number(wireOffset(options.after)));
    await collected.read(this.resumeStream(jobId, options));
    return checkedExec(`job ${jobId}`, collected.result(), options.check);
  }

  /** Yields the events of a command that was started before, from `after` on. */
  resumeStream(jobId: string, options: ResumeStreamOptions = {}): AsyncGenerator<ExecEvent, void, void> {
    return new ExecRun(this.#caller, { ...options, jobId }).events({ after: wireOffset(options.after) });
  }

  /**
   * Returns the jobs of this key that the machine still knows, running ones and recently ended ones, the
   * newest first.
   */
  jobs(options: JobsOptions = {}): Promise<JobInfo[]> {
    return listJobs(this.#caller, options);
  }

  /** Cancels a job (SIGTERM to its process group, SIGKILL after a grace period) and returns its end. */
  cancel(jobId: string): Promise<ExecEnd> {
    return cancelJob(this.#caller, jobId);
  }

  /**
   * Writes to the standard input of a command that was started with `stdinOpen`, and waits until the machine
   * has accepted it. `eof` ends the input.
   * @throws CmdopError OutcomeUnknown when the connection stayed lost for 60 s; JobEnded, JobUnknown
   */
  async sendStdin(
    jobId: string,
    data: string | Uint8Array,
    { eof = false }: { readonly eof?: boolean | undefined } = {},
  ): Promise<void> {
    await this.#keyboards.of(jobId).type(bytesOf(data), { eof });
  }

  /**
   * Sends a job one signal ("SIGINT"): to a command's process group, or to the foreground process group of a
   * session.
   */
  sendSignal(id: string, signal: string): Promise<void> {
    return signalJob(this.#caller, id, signal);
  }

  /** Starts a session: a terminal that lives until its shell ends or `close` ends it. */
  async create(options: CreateOptions = {}): Promise<Session> {
    return this.session(await createSession(this.#caller, options));
  }

  /** Returns a handle to an existing session, without a call. */
  session(sessionId: string): Session {
    return new Session(this.#caller, this.#keyboards, sessionId);
  }

  /**
   * Returns the sessions of this key that the machine still knows, the newest first; `outcome` is null while
   * a session runs.
   */
  sessions(): Promise<JobInfo[]> {
    return this.jobs({ kind: "session" });
  }

  /** The same as `sessions`. */
  list(): Promise<JobInfo[]> {
    return this.sessions();
  }

  /** As Session.sendInput. */
  sendInput(sessionId: string, data: string | Uint8Array): Promise<void> {
    return this.session(sessionId).sendInput(data);
  }

  /** As Session.getHistory. */
  getHistory(sessionId: string, options: HistoryOptions = {}): Promise<string> {
    return this.session(sessionId).getHistory(options);
  }

  /** As Session.history. */
  history(sessionId: string, options: HistoryOptions = {}): Promise<SessionHistory> {
    return this.session(sessionId).history(options);
  }

  /** As Session.screen. */
  screen(sessionId: string): Promise<Screen> {
    return this.session(sessionId).screen();
  }

  /** As Session.resize. */
  resize(sessionId: string, cols: number, rows: number): Promise<void> {
    return this.session(sessionId).resize(cols, rows);
  }

  /** As Session.waitFor. */
  waitFor(sessionId: string, pattern: RegExp | string, options: WaitOptions = {}): Promise<WaitResult> {
    return this.session(sessionId).waitFor(pattern, options);
  }

  /** As Session.attach. */
  attach(sessionId: string, options: AttachOptions = {}): AsyncGenerator<SessionChunk, void, void> {
    return this.session(sessionId).attach(options);
  }

  /** As Session.close. */
  close(sessionId: string): Promise<ExecEnd> {
    return this.session(sessionId).close();
  }
}

function checkedExec(command: ExecCommand, result: ExecResult, check: boolean | undefined): ExecResult {
  if (check && result.exitCode !== 0) throw new ExecError(command, result);
  return result;
}
