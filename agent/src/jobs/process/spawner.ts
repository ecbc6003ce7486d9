import { type ChildProcess, spawn } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import { dirname, extname, join } from "node:path";
import { covered } from "./private-descriptors.ts";
import { isReport, type PlainError, type Report, type StartRequest } from "./spawner-messages.ts";

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What became of a process is not known any more, and why. */
export interface Lost {
  readonly lost: string;
}

/** The answer to a request. */
export type Answer =
  | { readonly pid: number; readonly exit: Promise<Exit | Lost> }
  /** The system refused to start it. */
  | { readonly failed: Error }
  /** Nothing was started; it may be tried in another way. */
  | { readonly unable: Error }
  | Lost;

/** Requests that wait for an answer: a burst of jobs, while a fork takes a millisecond. */
const MAX_WAITING = 128;

/** Larger ones would make the spawner's heap, and so its forks, larger for good. Jobs seldom have more. */
const MAX_REQUEST_BYTES = 64 * 1024;

/** After a spawner died, until the next is started: doubling, so that one that can't live costs little. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 60_000;

/** It needs next to no heap, and the smaller it is the faster it forks. In MiB. */
const NODE_OPTIONS = ["--max-semi-space-size=1", "--max-old-space-size=64"];

/** Beside us, as source or as built. */
const ENTRY = join(import.meta.dirname, `spawner-process${extname(import.meta.filename)}`);

type State =
  | { readonly kind: "absent"; readonly retryAtMs: number }
  | { readonly kind: "starting" | "ready"; readonly child: ChildProcess; readonly gone: Promise<void> }
  | { readonly kind: "closed" };

/**
 * The agent's side of its spawner (see spawner-process.ts). Node's own spawn
 * would block the agent for as long as the kernel copies its page tables, some
 * 13 ms at 250 MB. One spawner at a time; another follows when it dies.
 */
export class Spawner {
  /** Linux only: descriptors are handed over by way of /proc. */
  #state: State;
  #waitMs = FIRST_WAIT_MS;
  #lastId = 0;
  #settled = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #running = new Map<number, (end: Exit | Lost) => void>();

  /** Starts nothing yet; where it is not enabled, never. */
  constructor({ enabled }: { readonly enabled: boolean }) {
    const usable = enabled && process.platform === "linux";
    this.#state = usable ? { kind: "absent", retryAtMs: 0 } : { kind: "closed" };
  }

  /** Starts the spawner where there is none; resolves when it is ready or has failed to be. */
  async warm(): Promise<void> {
    if (this.#state.kind === "absent" && performance.now() >= this.#state.retryAtMs) this.#launch();
    if (this.#state.kind === "starting") await this.#settled.promise;
  }

  /**
   * Starts a command in a session and process group of its own. The descriptors
   * must stay open until the answer, which always comes, be it that the spawner
   * died. Undefined where the caller has to do it itself: no spawner is ready
   * (one is then started), it has enough to do, or the request is too large.
   */
  start(request: Omit<StartRequest, "id">): Promise<Answer> | undefined {
    this.warm();
    if (this.#state.kind !== "ready" || this.#waiting.size >= MAX_WAITING) return undefined;
    if (sizeOf(request) > MAX_REQUEST_BYTES) return undefined;
    const { child } = this.#state;
    if (!child.connected) return undefined;
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#holdOpen(child);
    child.send({ ...request, id }, (error) => {
      if (error !== null) child.kill("SIGKILL");
    });
    return answer;
  }

  /** Ends the spawner; what it had started runs on. Resolves when it is gone. */
  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind !== "starting" && state.kind !== "ready") return;
    // Whoever waits for this must not exit before.
    state.child.ref();
    state.child.kill("SIGKILL");
    await state.gone;
  }

  #launch(): void {
    const launchedAtMs = performance.now();
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [...NODE_OPTIONS, ENTRY, String(process.pid)], {
        // A place that never goes away, and nothing of our environment, which may hold keys.
        cwd: "/",
        env: spawnerEnvironment(),
        // No signal of a terminal may reach it: the jobs need it to their end.
        detached: true,
        stdio: covered(["ignore", "ignore", "inherit", "ipc"]),
      });
    } catch (error) {
      this.#end(launchedAtMs, String(error));
      return;
    }
    const gone = Promise.withResolvers<void>();
    this.#settled = Promise.withResolvers();
    this.#state = { kind: "starting", child, gone: gone.promise };
    child.unref();
    child.on("message", (message) => {
      // One that talks nonsense is not to be trusted with the rest.
      if (!isReport(message) || !this.#take(child, message)) child.kill("SIGKILL");
    });
    child.on("error", (error) => {
      // With a pid it was there once, and its close tells the rest.
      if (child.pid !== undefined) return;
      this.#end(launchedAtMs, error.message);
      gone.resolve();
    });
    // Not `exit`: reports may still lie in the channel then. And it closes only when
    // whatever was just forked has become its command, and can be found as such.
    child.once("close", (code, signal) => {
      if (child.pid === undefined) return;
      this.#end(launchedAtMs, signal ?? `code ${code}`);
      gone.resolve();
    });
  }

  #end(launchedAtMs: number, how: string): void {
    const now = performance.now();
    if (this.#state.kind !== "closed") {
      this.#state = { kind: "absent", retryAtMs: now + this.#waitMs };
      const livedLong = now - launchedAtMs > LONGEST_WAIT_MS;
      this.#waitMs = livedLong ? FIRST_WAIT_MS : Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
    }
    const lost = `The agent's helper process that starts commands ended (${how}).`;
    const all = [...this.#waiting.values(), ...this.#running.values()];
    this.#waiting.clear();
    this.#running.clear();
    for (const tell of all) tell({ lost });
    this.#settled.resolve();
  }

  /** False where the report makes no sense. */
  #take(child: ChildProcess, report: Report): boolean {
    if (report.kind === "ready") return this.#ready(child);
    const { id } = report;
    if (report.kind === "exited") {
      const end = this.#running.get(id);
      this.#running.delete(id);
      this.#holdOpen(child);
      // What was written before the end has then been read, as with SIGCHLD: libuv looks at pipes first.
      setImmediate(() => end?.({ code: report.code, signal: report.signal }));
      return end !== undefined;
    }
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    switch (report.kind) {
      case "started": {
        const { promise, resolve } = Promise.withResolvers<Exit | Lost>();
        this.#running.set(id, resolve);
        answer?.({ pid: report.pid, exit: promise });
        break;
      }
      case "failed":
        answer?.({ failed: asError(report.error) });
        break;
      case "unable":
        answer?.({ unable: asError(report.error) });
        break;
    }
    this.#holdOpen(child);
    return answer !== undefined;
  }

  #ready(child: ChildProcess): boolean {
    // A close that came first wins.
    if (this.#state.kind === "starting") this.#state = { ...this.#state, kind: "ready" };
    this.#settled.resolve();
    this.#holdOpen(child);
    return true;
  }

  /** An idle spawner keeps nobody from exiting. */
  #holdOpen({ channel }: ChildProcess): void {
    if (this.#waiting.size + this.#running.size > 0) channel?.ref();
    else channel?.unref();
  }
}

/** Nothing, but for where compiled sources are kept, if anywhere: without, it would start with a compiler in memory. */
function spawnerEnvironment(): Record<string, string> {
  const cache = getCompileCacheDir();
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
}

function sizeOf({ program, args, cwd, env }: Omit<StartRequest, "id">): number {
  return [program, cwd, ...args, ...Object.entries(env).flat()].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    0,
  );
}

function asError({ message, ...fields }: PlainError): Error {
  return Object.assign(new Error(message), fields);
}
