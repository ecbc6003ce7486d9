import { closeSync, constants, mkdtempSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { SCRATCH_DIRECTORY } from "../../scratch.ts";
import { JOB_LIMITS } from "../limits.ts";
import { forkBySpawner, forkDirectly } from "./fork.ts";
import type { Spawner } from "./spawner.ts";

/** Pipes made at once: one `mkfifo` makes them for a burst of 64 jobs as fast as for one. Each is one open descriptor until it is used. */
const BATCH_PIPES = 128;

/** Refilled below this, so that a burst finds most of a batch. */
const LOW_PIPES = 96;

/** One pipe from a process to the agent. */
export interface Pipe {
  /** The agent's end. */
  readonly ours: Socket;
  /** The process's end, a descriptor to be closed when the process has it. */
  readonly theirs: number;
}

/**
 * Real pipes for the processes' output. Node's own are sockets, which Linux
 * does not let a process open by name: `echo x > /dev/stderr` would fail. Node
 * can't make a pipe, but it can open a FIFO, so FIFOs are made ahead, opened,
 * and unlinked at once: no name outlives a moment, and the descriptor is opened
 * again by way of /proc for the two ends. (Not for input: a FIFO whose writer
 * has closed blocks whoever opens it by name.)
 *
 * Elsewhere, and where there is no `mkfifo`, `take` answers undefined, and
 * Node's sockets are used (on macOS those can be opened by name).
 */
export class PipePool {
  /** FIFOs without a name, opened for both directions, which never blocks. */
  readonly #fifos: number[] = [];
  readonly #spawner: Spawner | undefined;
  #refilling: Promise<void> | undefined;
  #usable = process.platform === "linux";
  #closed = false;

  /** With a spawner, refilling does not block the agent. */
  constructor(spawner?: Spawner) {
    this.#spawner = spawner;
  }

  /** Makes pipes for the first jobs. */
  async warm(): Promise<void> {
    if (this.#usable && this.#fifos.length < LOW_PIPES) this.#refilling ??= this.#refill();
    await this.#refilling;
  }

  /** A pipe for a process to write to. */
  async take(): Promise<Pipe | undefined> {
    if (this.#fifos.length === 0) await this.warm();
    const fifo = this.#fifos.pop();
    void this.warm();
    if (fifo === undefined) return undefined;
    let theirs: number | undefined;
    try {
      theirs = reopen(fifo, constants.O_WRONLY);
      // Only our own end may be non-blocking: few programs expect EAGAIN on their standard streams.
      const fd = reopen(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
      return { ours: new Socket({ fd, readable: true, writable: false }), theirs };
    } catch (error) {
      if (theirs !== undefined) closeSync(theirs);
      throw error;
    } finally {
      closeSync(fifo);
    }
  }

  /** Closes what has not been used. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#usable = false;
    await this.#refilling;
    for (const fifo of this.#fifos.splice(0)) closeSync(fifo);
  }

  async #refill(): Promise<void> {
    try {
      const directory = newDirectory();
      this.#adopt(directory, await this.#mkfifo(names(directory, BATCH_PIPES)));
    } catch (error) {
      unlessTemporary(error);
    } finally {
      this.#refilling = undefined;
    }
  }

  /** Whether it made them. What became of it in the hands of a spawner that died is seen by what there is. */
  async #mkfifo(args: string[]): Promise<boolean> {
    const program = { program: "mkfifo", args, cwd: "/", env: { PATH: process.env.PATH ?? "" } };
    const stdio = ["ignore", "ignore", "ignore"] as const;
    const options = { limits: JOB_LIMITS, signal: NEVER, close: () => undefined };
    const forked = await (this.#spawner?.enabled
      ? forkBySpawner(this.#spawner, program, stdio, options)
      : forkDirectly(program, stdio, options));
    if ("failed" in forked) return false;
    const end = "pid" in forked ? await forked.exit : forked;
    return "lost" in end || end.code === 0;
  }

  #adopt(directory: string, made: boolean): void {
    // Elsewhere first: a `mkfifo` whose end we could not await finds its directory gone, and adds no more.
    const adopted = `${directory}-adopted`;
    renameSync(directory, adopted);
    try {
      if (!made) this.#usable = false;
      else if (!this.#closed) {
        for (const name of readdirSync(adopted)) {
          this.#fifos.push(openSync(join(adopted, name), constants.O_RDWR | constants.O_NONBLOCK));
        }
      }
    } finally {
      rmSync(adopted, { recursive: true });
    }
  }
}

/** Making pipes is not given up. */
const NEVER = new AbortController().signal;

/** No descriptors or no space just now: the job at hand uses sockets, and the next one tries again. */
function unlessTemporary(error: unknown): void {
  if (!(error instanceof Error && "code" in error)) throw error;
}

function newDirectory(): string {
  return mkdtempSync(join(SCRATCH_DIRECTORY, "cmdop-pipes-"));
}

function names(directory: string, count: number): string[] {
  return ["-m", "600", ...Array.from({ length: count }, (_, index) => join(directory, String(index)))];
}

function reopen(fifo: number, flags: number): number {
  return openSync(`/proc/self/fd/${fifo}`, flags);
}
