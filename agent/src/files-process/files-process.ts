import { isDeepStrictEqual } from "node:util";
import { onAbort, pause, within } from "@cmdop/kit";
import { type CallOptions, CmdopError } from "@cmdop/proto";
import type { Notes } from "../files/unfinished/unfinished-log.ts";
import type { Log } from "../log.ts";
import { Connection } from "./connection.ts";
import { type FileCalls, fileCalls } from "./file-calls.ts";
import { KeyPlaces } from "./key-places.ts";
import {
  CLEAN_UP_MS,
  FIRST_PAUSE_MS,
  GONE_WITHIN_MS,
  LONGEST_PAUSE_MS,
  MAX_FILE_CALLS_PER_KEY,
  SETTLED_MS,
  START_ATTEMPTS,
} from "./limits.ts";
import type { ProcessUser, Report, Scope, StalledMount } from "./told.ts";
import type { WorkCall } from "./work-call.ts";

/** What agent code needs for work on files: the methods of the service, within what a caller may touch. */
export interface FileWork {
  within(scope: Scope): FileCalls;
}

/** How files are worked on. */
export interface FilesProcessOptions {
  /** Where it is written down what is unfinished. */
  readonly notes: Notes;
  /** What the process may touch to clean up. */
  readonly everywhere: () => Scope;
  /** Whom the process belongs to; undefined: to the agent's own user. */
  readonly user: () => ProcessUser | undefined;
  readonly onTrouble: (what: string, error: unknown) => void;
  readonly log: Pick<Log, "warn">;
}

/**
 * The agent's side of its files process (see process-entry.ts): all work on files
 * is done there. One process at a time: it is started at the first call or before,
 * and another follows when it dies, when too many of its threads hang, or when
 * files are to be worked on as another user. What it was at work on then ends as
 * a connection that broke; the next begins when it is gone.
 */
export class FilesProcess implements FileWork {
  readonly #options: FilesProcessOptions;
  readonly #places = new KeyPlaces(MAX_FILE_CALLS_PER_KEY);
  /** The process that takes calls, or is about to. */
  #ready: Promise<Connection> | undefined;
  /** All that are not gone; the last may be at work, the others were killed. */
  readonly #living = new Set<Connection>();
  #stalled: readonly StalledMount[] = [];
  #pauseMs = 0;
  #isClosed = false;

  constructor(options: FilesProcessOptions) {
    this.#options = options;
  }

  /** The process that is at work. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  /** Starts the process where there is none, so that the first call need not wait for it. */
  warm(): void {
    if (this.#isClosed) return;
    this.#connected().catch((thrown: unknown) => {
      if (!this.#isClosed) this.#options.onTrouble("the process for files", thrown);
    });
  }

  within(scope: Scope): FileCalls {
    return fileCalls((method, options) => this.#begin(method, scope, options));
  }

  /** Ends the process where it belongs to another user than it should by now; another follows. */
  userMayHaveChanged(): void {
    const current = this.#current;
    if (current === undefined || isDeepStrictEqual(current.user, this.#user())) return;
    current.end("files are worked on as another user from now on");
    this.warm();
  }

  /** Lets the process clean up what its callers have left, and ends it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const current = this.#current;
    if (current === undefined) return;
    await within(current.idle(), CLEAN_UP_MS, { ref: false });
    current.end("the agent ends");
    await this.#predecessorsGone();
  }

  get #current(): Connection | undefined {
    return [...this.#living].find(({ isEnded }) => !isEnded);
  }

  /** Whom the process is to belong to, as it is told. */
  #user(): ProcessUser | undefined {
    const user = this.#options.user();
    return user === undefined ? undefined : { name: user.name, uid: user.uid, gid: user.gid };
  }

  async #begin(method: string, scope: Scope, options: CallOptions): Promise<WorkCall> {
    const { signal, recycles = false } = options;
    const key = scope.key ?? "";
    const turn = this.#places.enter(key);
    const leave = (): void => this.#places.leave(key);
    try {
      if (turn !== undefined) await unlessAborted(turn, signal);
      const connection = await unlessAborted(this.#connected(), signal);
      const call = connection.begin({ method, scope }, recycles);
      void call.settled.then(leave);
      return call;
    } catch (thrown) {
      // The place may only come now.
      void Promise.resolve(turn).then(leave);
      throw thrown;
    }
  }

  /** The process that there is, or the next. */
  async #connected(): Promise<Connection> {
    for (;;) {
      if (this.#isClosed) throw new CmdopError("LinkLost", "The agent ends.");
      this.#ready ??= this.#startPatiently();
      const starting = this.#ready;
      try {
        const connection = await starting;
        if (!connection.isEnded) return connection;
      } finally {
        if (this.#ready === starting && this.#current === undefined) this.#ready = undefined;
      }
    }
  }

  /** One that dies before it is ready may have been unlucky; several say that something is wrong. */
  async #startPatiently(): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start();
      } catch (thrown) {
        if (attempt === START_ATTEMPTS || this.#isClosed) throw thrown;
      }
    }
  }

  async #start(): Promise<Connection> {
    await pause(this.#pauseMs);
    const hasPredecessor = !(await this.#predecessorsGone());
    const startedAtMs = performance.now();
    const greeted = Promise.withResolvers<void>();
    const connection = await Connection.open((from, report) => {
      if (report.kind === "ready") greeted.resolve();
      else if (report.kind === "useless") greeted.reject(unable(report.reason));
      else this.#hear(from, report);
    });
    this.#living.add(connection);
    void connection.gone.then((how) => {
      // Ended by us it is no failure: whoever waits for it waits for the next.
      if (connection.diedItself) greeted.reject(unable(how));
      else greeted.resolve();
      this.#left(connection, how, performance.now() - startedAtMs);
    });
    if (this.#isClosed) connection.end("the agent ends");
    const { notes, everywhere } = this.#options;
    const left = { begun: [...notes.begun], stalled: this.#stalled, hasPredecessor };
    connection.greet({ user: this.#user(), everywhere: everywhere(), ...left });
    try {
      await greeted.promise;
    } catch (thrown) {
      this.#pauseMs = longer(this.#pauseMs);
      connection.end("it did not begin");
      throw thrown;
    } finally {
      connection.started();
    }
    return connection;
  }

  /** Notes that a process is gone. One that died of itself is followed by another, after a pause where it had not lived long. */
  #left(connection: Connection, how: string, livedMs: number): void {
    this.#living.delete(connection);
    if (this.#living.size === 1) this.#current?.tell({ kind: "predecessor gone" });
    if (livedMs > SETTLED_MS) this.#pauseMs = 0;
    if (!connection.diedItself || this.#isClosed) return;
    this.#pauseMs = longer(this.#pauseMs);
    this.#options.log.warn("the process for files ended", { how, livedMs: Math.round(livedMs) });
    this.warm();
  }

  /** Whether all that were killed are gone; they are waited for, but not for ever. */
  async #predecessorsGone(): Promise<boolean> {
    const leaving = [...this.#living].map(({ gone }) => gone);
    return leaving.length === 0 || (await within(Promise.all(leaving), GONE_WITHIN_MS)) !== undefined;
  }

  #hear(connection: Connection, report: Report): void {
    const { notes, onTrouble, log } = this.#options;
    switch (report.kind) {
      case "begin":
        void this.#note(connection, report);
        break;
      case "over":
        notes.end(report.name);
        break;
      case "stalled":
        this.#stalled = report.mounts;
        log.warn("mounts that do not answer", { mounts: report.mounts.map(({ point }) => point) });
        break;
      case "replace":
        log.warn("the process for files is replaced", { reason: report.reason });
        connection.end(report.reason);
        this.warm();
        break;
      case "trouble":
        onTrouble(report.what, new Error(report.message));
        break;
    }
  }

  async #note(
    connection: Connection,
    { id, name, begun }: Extract<Report, { kind: "begin" }>,
  ): Promise<void> {
    try {
      await this.#options.notes.begin(name, begun);
      connection.tell({ kind: "noted", id });
    } catch (thrown) {
      connection.tell({ kind: "noted", id, failure: CmdopError.from(thrown).message });
    }
  }
}

function longer(pauseMs: number): number {
  return Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * pauseMs));
}

function unable(reason: string): CmdopError {
  return new CmdopError("Internal", `The machine's process for files can't be started: ${reason}.`, {
    next: "The agent's log says more; other calls go on.",
  });
}

/** What a promise brings, unless the signal aborts first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, () => reject(new CmdopError("Canceled", "The call was canceled.")));
  try {
    return await Promise.race([work, promise]);
  } finally {
    stopListening();
  }
}
