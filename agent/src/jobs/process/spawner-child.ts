import { type ChildProcess, spawn } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { entryFile } from "../../entries.ts";
import { type Exit, isReport, type Report, type StartRequest } from "./spawner-messages.ts";

/** What became of a process is not known any more, and why. */
export interface Lost {
  readonly lost: string;
}

/** The answer to a request. */
export type Answer =
  | { readonly pid: number; readonly cgroup?: string | undefined; readonly exit: Promise<Exit | Lost> }
  /** Nothing was started, and why, in words. */
  | { readonly failed: string }
  | Lost;

/** It needs next to no heap, and the smaller it is the faster it forks. In MiB. */
const NODE_OPTIONS = ["--max-semi-space-size=1", "--max-old-space-size=64"];

/** What a spawner is told at its start. */
export interface SpawnerOptions {
  readonly socketDoor: string;
  /** The soft limit on open files of what it starts. */
  readonly openFiles: number;
}

/** The agent's end of one spawner (see spawner-process.ts), from its launch to its end. Throws where it can't be launched. */
export class SpawnerChild {
  /** Resolves when it takes requests, or never will. */
  readonly settled: Promise<void>;
  /** How it ended, in words. What had been started then is `lost` already. */
  readonly gone: Promise<string>;
  readonly launchedAtMs = performance.now();
  readonly #child: ChildProcess;
  readonly #settle: () => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #running = new Map<number, { readonly pid: number; readonly tell: (end: Exit | Lost) => void }>();
  #isReady = false;
  #isRetired = false;

  constructor({ socketDoor, openFiles }: SpawnerOptions) {
    const args = [...NODE_OPTIONS, entryFile("spawner"), String(process.pid), socketDoor, String(openFiles)];
    const child = spawn(process.execPath, args, {
      // A place that never goes away, and nothing of our environment, which may hold keys.
      cwd: "/",
      env: spawnerEnvironment(),
      // No signal of a terminal may reach it: the jobs need it to their end.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    const settled = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<string>();
    this.settled = settled.promise;
    this.gone = gone.promise;
    this.#settle = settled.resolve;
    const end = (how: string): void => {
      this.#end(how);
      gone.resolve(how);
    };
    child.unref();
    child.on("message", (message) => {
      // One that talks nonsense is not to be trusted with the rest.
      if (!isReport(message) || !this.#take(message)) this.kill();
    });
    // With a pid it was there once, and its close tells the rest.
    child.on("error", (error) => {
      if (child.pid === undefined) end(error.message);
    });
    // Not `exit`: reports may still lie in the channel then. And it closes only when
    // whatever was just forked has become its command, and can be found as such.
    child.once("close", (code, signal) => {
      if (child.pid !== undefined) end(signal ?? `code ${code}`);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it takes requests. */
  get isReady(): boolean {
    return this.#isReady && this.#child.connected;
  }

  /** Whether nothing that it was asked for goes on. */
  get isIdle(): boolean {
    return this.#waiting.size + this.#running.size === 0;
  }

  /** The request that it is at, as far as is known. */
  get current(): number | undefined {
    return this.#waiting.keys().next().value;
  }

  /** Pids of what it has started. */
  get started(): Set<number> {
    return new Set([...this.#running.values()].map(({ pid }) => pid));
  }

  /** The answer always comes, be it that the spawner died, or late. */
  ask(request: StartRequest): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(request.id, resolve));
    this.#holdOpen();
    this.#child.send(request, (error) => {
      if (error !== null) this.kill();
    });
    return answer;
  }

  /** It ends when it has nothing left to tell. */
  retire(): void {
    this.#isRetired = true;
    this.#holdOpen();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends it; what it had started runs on. Resolves when it is gone. */
  async close(): Promise<void> {
    // Whoever waits for this must not exit before.
    this.#child.ref();
    this.kill();
    await this.gone;
  }

  #end(how: string): void {
    this.#isReady = false;
    const lost = `The agent's helper process that starts commands ended (${how}).`;
    const all = [...this.#waiting.values(), ...[...this.#running.values()].map(({ tell }) => tell)];
    this.#waiting.clear();
    this.#running.clear();
    for (const tell of all) tell({ lost });
    this.#settle();
  }

  /** False where the report makes no sense. */
  #take(report: Report): boolean {
    if (report.kind === "ready") {
      this.#isReady = true;
      this.#settle();
      this.#holdOpen();
      return true;
    }
    const { id } = report;
    if (report.kind === "exited") {
      const running = this.#running.get(id);
      this.#running.delete(id);
      this.#holdOpen();
      // What was written before the end has then been read, as with SIGCHLD: libuv looks at pipes first.
      setImmediate(() => running?.tell({ code: report.code, signal: report.signal }));
      return running !== undefined;
    }
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (report.kind === "started") {
      const { promise, resolve } = Promise.withResolvers<Exit | Lost>();
      this.#running.set(id, { pid: report.pid, tell: resolve });
      answer?.({ pid: report.pid, cgroup: report.cgroup, exit: promise });
    } else answer?.({ failed: report.reason });
    this.#holdOpen();
    return answer !== undefined;
  }

  /** An idle spawner keeps nobody from exiting. */
  #holdOpen(): void {
    const { channel } = this.#child;
    if (!this.isIdle) channel?.ref();
    else if (this.#isRetired) this.kill();
    else channel?.unref();
  }
}

/** Nothing, but for where compiled sources are kept, if anywhere: without, it would start with a compiler in memory. */
function spawnerEnvironment(): Record<string, string> {
  const cache = getCompileCacheDir();
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
}
