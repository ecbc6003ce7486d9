import { CmdopError, onAbort } from "@cmdop/proto";
import type { Journal, JournalItem } from "./journal.ts";
import type { Outcome, StopCause } from "./outcome.ts";
import type { InputPiece } from "./standard-input.ts";
import type { Work } from "./work.ts";

/** Who named a job, and what makes a second Start the same. */
export interface JobIdentity {
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

/** Something that runs, or ran, on this machine under a name that its caller gave it. */
export class Job {
  readonly identity: JobIdentity;
  readonly startedAtMs = Date.now();
  readonly journal: Journal;
  /** Resolves with the outcome, when nothing more will be written to the journal. Never rejects. */
  readonly ended: Promise<Outcome>;
  #state:
    | { readonly kind: "running"; readonly work: Work }
    | { readonly kind: "ended"; readonly outcome: Outcome };

  /** The work writes to the journal, which is closed when it ends. */
  constructor(identity: JobIdentity, journal: Journal, work: Work) {
    this.identity = identity;
    this.journal = journal;
    this.#state = { kind: "running", work };
    this.ended = work.outcome.then((outcome) => {
      this.#state = { kind: "ended", outcome };
      journal.close();
      return outcome;
    });
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

  /** Feeds standard input; see StandardInput.take. @throws CmdopError JobEnded, InvalidArgument */
  async input(piece: InputPiece, signal?: AbortSignal): Promise<bigint> {
    if (this.#state.kind === "ended") throw this.#hasEnded("input");
    const input = await this.#state.work.input;
    if (input === undefined) {
      throw new CmdopError("InvalidArgument", `Job ${this.identity.id} takes no input.`, {
        next: "Start it with its standard input kept open (stdin_open).",
      });
    }
    return input.take(piece, signal);
  }

  /** `started`, then the output behind `after` as it comes, then `ended`. */
  async *events({ after, attached, holds, signal }: EventsOptions): AsyncGenerator<JobEvent, void, void> {
    using reader = this.journal.open(after, { holds });
    const { id } = this.identity;
    const pid = await unlessAborted(this.pid, signal);
    if (pid === undefined) return;
    yield { kind: "started", offset: after, jobId: id, attached, pid, startedAtMs: this.startedAtMs };
    for (let item = await reader.next(signal); item !== undefined; item = await reader.next(signal))
      yield item;
    if (signal?.aborted) return;
    yield { kind: "ended", offset: this.journal.end, outcome: await this.ended };
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
