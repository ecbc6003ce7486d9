import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { InputPiece, JobInput } from "./input.ts";
import type { JobRecord } from "./job-store.ts";
import type { Journal, JournalItem } from "./journal/journal.ts";
import type { Outcome, StopCause } from "./outcome.ts";
import type { JobTrace } from "./process/job-trace.ts";
import { SessionTerminal } from "./session/terminal.ts";
import type { Work } from "./work.ts";

/** What kinds of jobs there are. */
export type JobKind = "exec" | "session" | "run";

/** Who named a job, and what makes a second Start the same. */
export interface JobIdentity {
  readonly kind: JobKind;
  readonly id: string;
  /** The key that the job belongs to. */
  readonly keyId: string;
  readonly requestHash: string;
  /** The job as one line for people. */
  readonly summary: string;
}

/** One event of a job, in the order of its journal. */
export type JobEvent =
  | {
      readonly kind: "started";
      readonly offset: bigint;
      readonly jobId: string;
      readonly attached: boolean;
      readonly pid: number;
      readonly startedAtMs: number;
      /** The journal's end when the reader came. */
      readonly outputEnd: bigint;
      readonly inMemory: boolean;
      /** The shell that runs the line, where it is not sh; undefined where there is none, and for a job of an earlier life. */
      readonly shell: string | undefined;
    }
  | JournalItem
  | { readonly kind: "ended"; readonly offset: bigint; readonly outcome: Outcome };

/** How to read a job's events. */
export interface EventsOptions {
  /** Events behind this offset. */
  readonly after: bigint;
  /** What `started` says: whether the job had been started before this reader came. */
  readonly attached: boolean;
  /** Whether the job waits for this reader rather than drop output. */
  readonly holds: boolean;
  /** Ends the reading, never the job. */
  readonly signal?: AbortSignal;
}

/** What a job is made of. */
export interface JobOptions {
  readonly identity: JobIdentity;
  /** By this machine's clock. */
  readonly startedAtMs: number;
  readonly journal: Journal;
  /** By what its processes are known. */
  readonly trace: JobTrace;
  /** Its place on disk; without, a restart of the agent forgets it. */
  readonly record?: JobRecord | undefined;
}

const NOTHING = Promise.resolve(undefined);

/** Something that runs, or ran, on this machine under a name that its caller gave it. */
export class Job {
  readonly identity: JobIdentity;
  readonly startedAtMs: number;
  readonly journal: Journal;
  readonly trace: JobTrace;
  /** Resolves with the outcome, when nothing more will be written to the journal. Never rejects. */
  readonly ended: Promise<Outcome>;
  /** What a session is seen on, also after its end; undefined for an exec and for a run. */
  readonly terminal: SessionTerminal | undefined;
  readonly #record: JobRecord | undefined;
  /** Kept after the end, too: it knows what it has accepted. */
  #input: Promise<JobInput | undefined>;
  #shell: Promise<string | undefined>;
  #state:
    | { readonly kind: "running"; readonly work: Work }
    | { readonly kind: "ended"; readonly outcome: Outcome };

  private constructor({ identity, startedAtMs, journal, trace, record }: JobOptions, doing: Work | Outcome) {
    this.identity = identity;
    this.startedAtMs = startedAtMs;
    this.journal = journal;
    this.trace = trace;
    this.#record = record;
    this.#input = "kind" in doing ? NOTHING : doing.input;
    this.#shell = ("kind" in doing ? undefined : doing.shell) ?? NOTHING;
    const seen = "kind" in doing ? undefined : doing.terminal;
    this.terminal =
      identity.kind === "session" ? (seen ?? new SessionTerminal(journal, identity.keyId)) : undefined;
    if ("kind" in doing) {
      this.#state = { kind: "ended", outcome: doing };
      this.ended = Promise.resolve(doing);
    } else {
      this.#state = { kind: "running", work: doing };
      this.ended = doing.outcome.then(async (outcome) => {
        if ((await doing.input) === undefined) this.#input = NOTHING;
        if ((await doing.shell) === undefined) this.#shell = NOTHING;
        this.#state = { kind: "ended", outcome };
        journal.close();
        record?.ended(outcome, journal.facts);
        return outcome;
      });
    }
  }

  /** A job that runs: the work writes to the journal, which is closed when it ends. */
  static running(options: JobOptions, work: Work): Job {
    return new Job(options, work);
  }

  /** A job of an earlier life of the agent. */
  static ended(options: JobOptions, outcome: Outcome): Job {
    return new Job(options, outcome);
  }

  /** Whether a restart of the agent forgets the job, or its newest output. */
  get inMemory(): boolean {
    return this.#record === undefined || this.journal.inMemory;
  }

  /** Undefined while it runs. */
  get outcome(): Outcome | undefined {
    return this.#state.kind === "ended" ? this.#state.outcome : undefined;
  }

  /** The process id, as soon as it is known; 0 where there is none, or none any more. Never rejects. */
  get pid(): Promise<number> {
    return this.#state.kind === "running" ? this.#state.work.pid : Promise.resolve(0);
  }

  /** Ends the job, and answers what became of it: the given cause unless it had ended before. */
  stop(cause: StopCause): Promise<Outcome> {
    if (this.#state.kind === "running") this.#state.work.stop(cause);
    return this.ended;
  }

  /** Sends a signal to the whole process group. @throws CmdopError JobEnded */
  signal(name: NodeJS.Signals): void {
    if (this.#state.kind === "ended" || !this.#state.work.signal(name)) throw this.#hasEnded("signals");
  }

  /** Feeds standard input; see JobInput.take. @throws CmdopError JobEnded, InvalidArgument */
  async input(piece: InputPiece, signal?: AbortSignal): Promise<bigint> {
    // Also after the end: what was accepted, and its answer lost on the way, is still told.
    const input = await this.#input;
    if (input !== undefined) return input.take(piece, signal);
    // What could not be started has ended, though nobody may have been told yet.
    const neverRan = this.identity.kind !== "run" && (await this.pid) === 0;
    if (neverRan || this.#state.kind === "ended") throw this.#hasEnded("input");
    throw new CmdopError("InvalidArgument", `Job ${this.identity.id} takes no input.`, {
      next: "Start it with its standard input kept open (stdin_open).",
    });
  }

  /** `started`, then the output behind `after` as it comes, then `ended`. */
  async *events({ after, attached, holds, signal }: EventsOptions): AsyncGenerator<JobEvent, void, void> {
    // A session waits for nobody: its programs must not hang when a viewer does.
    using reader = this.journal.open(after, { holds: holds && this.identity.kind === "exec" });
    const outputEnd = this.journal.end;
    const jobId = this.identity.id;
    const pid = await unlessAborted(this.pid, signal);
    if (pid === undefined) return;
    const { startedAtMs, inMemory } = this;
    // Known when the process is, and before.
    const shell = await this.#shell;
    yield { kind: "started", offset: after, jobId, attached, pid, startedAtMs, outputEnd, inMemory, shell };
    for (let item = await reader.next(signal); item !== undefined; item = await reader.next(signal))
      yield item;
    if (signal?.aborted) return;
    yield { kind: "ended", offset: this.journal.end, outcome: await this.ended };
  }

  /** Drops what the job wrote. */
  releaseOutput(): void {
    this.journal.release();
    this.#record?.released();
  }

  /** Drops all that is known of the job: its id could run again. */
  forget(): void {
    this.journal.release();
    this.#record?.forget();
  }

  #hasEnded(what: string): CmdopError {
    return new CmdopError("JobEnded", `Job ${this.identity.id} has ended and takes no more ${what}.`);
  }
}

async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const stopListening = onAbort(signal, () => aborted.resolve(undefined));
  return Promise.race([promise, aborted.promise]).finally(stopListening);
}
