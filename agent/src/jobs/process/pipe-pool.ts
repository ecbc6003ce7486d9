import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { makePipes } from "./make-pipes.ts";
import type { Spawner } from "./spawner.ts";

/** Pipes made at once, by one shell: fewer than the open files that any limit lets it have. Each is one open descriptor until it is used. */
const BATCH_PIPES = 48;

/** Refilled below this, so that a burst of some 32 jobs finds enough. */
const LOW_PIPES = 96;

/** Where none can be made, until it is tried again. */
const RETRY_MS = 10_000;

/** One pipe between the agent and a process. */
export interface Pipe {
  /** The agent's end. */
  readonly ours: Socket;
  /** The process's end, a descriptor to be closed when the process has it. */
  readonly theirs: number;
}

/** Which way the bytes of a pipe go, seen from the process. */
export type Direction = "input" | "output";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/**
 * Real pipes for what processes read and write. Node's own are sockets, which Linux does
 * not let a process open by name: `cat /dev/stdin` and `echo x > /dev/stderr` would fail,
 * and bash takes a socket for a login from afar. (Not FIFOs: one whose writer has closed
 * blocks whoever opens it by name.) Made ahead, since a shell must be started for them.
 *
 * Elsewhere, and where none can be made, `take` answers undefined, and Node's
 * sockets are used (on macOS those can be opened by name).
 */
export class PipePool {
  /** Opened for both directions. */
  readonly #pipes: number[] = [];
  readonly #spawner: Spawner | undefined;
  #refilling: Promise<void> | undefined;
  #retryAtMs = 0;
  #closed = process.platform !== "linux";

  /** With a spawner, refilling does not block the agent. */
  constructor(spawner?: Spawner) {
    this.#spawner = spawner;
  }

  /** Makes pipes for the first jobs. */
  async warm(): Promise<void> {
    if (this.#pipes.length < LOW_PIPES && this.#isUsable) this.#refilling ??= this.#refill();
    await this.#refilling;
  }

  /** A pipe for a process to read from or to write to. */
  async take(direction: Direction): Promise<Pipe | undefined> {
    while (this.#pipes.length === 0 && this.#isUsable) await this.warm();
    const pipe = this.#pipes.pop();
    void this.warm();
    if (pipe === undefined) return undefined;
    const isInput = direction === "input";
    let theirs: number | undefined;
    try {
      theirs = reopen(pipe, isInput ? O_RDONLY : O_WRONLY);
      // Only our own end may be non-blocking: few programs expect EAGAIN on their standard streams.
      const fd = reopen(pipe, (isInput ? O_WRONLY : O_RDONLY) | O_NONBLOCK);
      return { ours: new Socket({ fd, readable: !isInput, writable: isInput }), theirs };
    } catch (error) {
      if (theirs !== undefined) closeSync(theirs);
      throw error;
    } finally {
      closeSync(pipe);
    }
  }

  /** Closes what has not been used. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#refilling;
    for (const pipe of this.#pipes.splice(0)) closeSync(pipe);
  }

  get #isUsable(): boolean {
    return !this.#closed && performance.now() >= this.#retryAtMs;
  }

  async #refill(): Promise<void> {
    try {
      this.#pipes.push(...(await makePipes(BATCH_PIPES, this.#spawner)));
    } catch {
      // No descriptors just now, or no shell: the jobs at hand use sockets.
      this.#retryAtMs = performance.now() + RETRY_MS;
    } finally {
      this.#refilling = undefined;
    }
  }
}

function reopen(pipe: number, flags: number): number {
  return openSync(`/proc/self/fd/${pipe}`, flags);
}
