import { Shares } from "../shares/shares.ts";
import type { JobKind } from "./job.ts";
import type { JobLimits } from "./limits.ts";

type Limits = Pick<JobLimits, "maxRunningJobs" | "maxSessions" | "maxRuns">;

/** The places of the jobs that run, shared among keys: one of all, and for sessions and runs one of their kind, too. */
export class Room {
  readonly #jobs: Shares;
  readonly #sessions: Shares;
  readonly #runs: Shares;

  constructor({ maxRunningJobs, maxSessions, maxRuns }: Limits) {
    this.#jobs = new Shares({
      capacity: maxRunningJobs,
      what: "running jobs",
      next: "Wait until one has ended, or cancel one that nobody needs: cmdop jobs lists them.",
    });
    this.#sessions = new Shares({
      capacity: maxSessions,
      what: "sessions",
      next: "Close one that nobody needs: cmdop sessions lists them.",
    });
    this.#runs = new Shares({
      capacity: maxRuns,
      what: "runs of agents",
      next: "Wait until one has ended, or cancel one that nobody needs: cmdop jobs lists them.",
    });
  }

  /** A place for a job, given back when it is disposed of. @throws CmdopError LimitExceeded */
  take(keyId: string, kind: JobKind): Disposable {
    using places = new DisposableStack();
    // First the scarcer: its refusal says more.
    if (kind === "session") places.use(this.#sessions.take(keyId));
    if (kind === "run") places.use(this.#runs.take(keyId));
    places.use(this.#jobs.take(keyId));
    return places.move();
  }

  /** The limits have changed. */
  adapt({ maxRunningJobs, maxSessions, maxRuns }: Limits): void {
    this.#jobs.capacity = maxRunningJobs;
    this.#sessions.capacity = maxSessions;
    this.#runs.capacity = maxRuns;
  }
}
