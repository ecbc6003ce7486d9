import { startingOpenFiles } from "./open-files.ts";
import { SocketDoor, type SocketEnd } from "./socket-door.ts";
import { type Answer, SpawnerChild } from "./spawner-child.ts";
import { type StartRequest, systemMs } from "./spawner-messages.ts";
import { endForked } from "./unborn.ts";

/** After a spawner died, until the next is started: doubling, so that one that can't live costs little. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 60_000;

/** A spawner that has answered nothing for so long is left alone with what it has, and another takes what comes: a fork takes a millisecond. */
const SLOW_MS = 2_000;

/** Spawners that are left alone and still have jobs, some 40 MB each. Beyond it the oldest is ended, and its jobs with it. */
const MAX_LEFT = 4;

/** A request for a process. */
export interface Asked {
  /** Comes late where the spawner hangs; the descriptors must stay open until then. */
  readonly answer: Promise<Answer>;
  /** Keeps it from running its program; true where it is certain that it never will. */
  withdraw(): Promise<boolean>;
}

/** What waits for a spawner. */
interface Pending {
  readonly request: StartRequest;
  readonly take: (answer: Answer | Promise<Answer>) => void;
}

/**
 * Starts processes by a small process that forks quickly (see spawner-process.ts):
 * Node's own spawn would block the agent for as long as the kernel copies its page
 * tables, some 13 ms at 250 MB. One at a time; another follows when it dies or hangs.
 * Linux only: descriptors are handed over by way of /proc.
 */
export class Spawner {
  readonly enabled: boolean;
  readonly #door = new SocketDoor();
  readonly #openFiles: number;
  #current: SpawnerChild | undefined;
  readonly #left = new Set<SpawnerChild>();
  #pending: Pending[] = [];
  #waitMs = FIRST_WAIT_MS;
  #retryAtMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closed = false;

  /** Starts nothing yet; where it is not enabled, never. */
  constructor({ enabled }: { readonly enabled: boolean }) {
    this.enabled = enabled && process.platform === "linux";
    this.#openFiles = this.enabled ? startingOpenFiles() : 0;
  }

  /** Starts the spawner where there is none; resolves when it is ready or has failed to be. */
  async warm(): Promise<void> {
    this.#launch();
    await this.#current?.settled;
  }

  /** A socket between the agent and a process that is about to be started. */
  expectSocket(): SocketEnd {
    return this.#door.expect();
  }

  /**
   * Starts a command in a session and process group of its own. It waits for a
   * spawner where there is none, and is not begun after `waitMs`.
   */
  start(request: Omit<StartRequest, "id" | "expiresAtMs">, waitMs: number): Asked {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const pending = { request: { ...request, id, expiresAtMs: systemMs() + waitMs }, take: resolve };
    this.#pending.push(pending);
    this.#serve();
    return { answer: promise, withdraw: () => this.#withdraw(pending) };
  }

  /** Ends the spawner; what it had started runs on. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#serve();
    const children = [...this.#left, ...(this.#current === undefined ? [] : [this.#current])];
    await Promise.all(children.map((child) => child.close()));
    this.#door.close();
  }

  /** Gives the spawner what waits for one. */
  #serve(): void {
    if (this.#closed) this.#refuse("The agent's helper process that starts commands has been shut down.");
    this.#launch();
    const child = this.#current;
    if (child === undefined || !child.isReady) return;
    for (const { request, take } of this.#pending.splice(0)) {
      const answer = child.ask(request);
      this.#watch(child, answer);
      take(answer);
    }
  }

  #launch(): void {
    if (!this.enabled || this.#closed || this.#current !== undefined) return;
    const waitMs = this.#retryAtMs - performance.now();
    if (waitMs > 0) {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#serve();
      }, waitMs);
      return;
    }
    let child: SpawnerChild;
    try {
      child = new SpawnerChild({ socketDoor: this.#door.name, openFiles: this.#openFiles });
    } catch (error) {
      this.#failed(String(error));
      return;
    }
    this.#current = child;
    void child.settled.then(() => this.#serve());
    void child.gone.then((how) => {
      this.#left.delete(child);
      if (this.#current !== child) return;
      this.#current = undefined;
      const livedLong = performance.now() - child.launchedAtMs > LONGEST_WAIT_MS;
      if (livedLong) this.#waitMs = FIRST_WAIT_MS;
      this.#failed(how);
    });
  }

  /** What waits is told where it can't be helped soon; the rest waits for the next one. */
  #failed(how: string): void {
    this.#retryAtMs = performance.now() + this.#waitMs;
    const isLasting = this.#waitMs > FIRST_WAIT_MS;
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
    if (!isLasting && this.#pending.length > 0) this.#serve();
    if (isLasting) this.#refuse(`The agent's helper process that starts commands can't be started (${how}).`);
  }

  /** Tells all that waits that nothing comes of it. */
  #refuse(failed: string): void {
    for (const { take } of this.#pending.splice(0)) take({ failed });
  }

  /** Lets go of a spawner that answers nothing: it keeps what it has, and what comes goes to another. */
  #watch(child: SpawnerChild, answer: Promise<Answer>): void {
    const slow = setTimeout(() => {
      // What has arrived during a stall of our own is read first.
      setImmediate(() => {
        if (this.#current === child && child.current !== undefined) this.#leave(child);
      });
    }, SLOW_MS).unref();
    void answer.then(() => clearTimeout(slow));
  }

  #leave(child: SpawnerChild): void {
    this.#current = undefined;
    this.#left.add(child);
    child.retire();
    const [oldest] = this.#left;
    if (this.#left.size > MAX_LEFT) oldest?.kill();
  }

  async #withdraw(pending: Pending): Promise<boolean> {
    if (this.#pending.includes(pending)) {
      this.#pending = this.#pending.filter((other) => other !== pending);
      pending.take({ failed: "It was withdrawn." });
      return true;
    }
    // What a spawner has and is not at yet, it will find too late.
    const child = [...this.#left, this.#current].find((one) => one?.current === pending.request.id);
    return child?.pid !== undefined && (await endForked(child.pid, child.started));
  }
}
