import type { Readable } from "node:stream";
import { pause, within } from "@cmdop/kit";
import { CmdopError, type Session } from "@cmdop/sdk";
import { EscapeKeys } from "./escape-keys.ts";
import { SHELL_RECONNECT_WINDOW_MS } from "./limits.ts";

/** Keys that the machine has not accepted yet, in bytes; beyond this, reading waits. More than anyone types in an outage. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** What ends the input of a program that reads lines. */
const CTRL_D = "\x04";

/**
 * How often Ctrl-D is typed when piped input has ended, in milliseconds: one
 * that comes while no program reads, or while a shell sets its terminal up, is lost.
 */
const CTRL_D_EVERY_MS = 1000;

/** Where keys come from. */
export interface KeySource {
  readonly keys: Readable;
  /** Whether a person types them. */
  readonly isInteractive: boolean;
}

/** What the keyboard's user learns of it. */
export interface KeyboardEvents {
  /** The person wants to leave. */
  detach(): void;
  /** The person wants to see the escape sequences. */
  help(): void;
  /** The keys can't be sent; the reason. */
  failed(thrown: unknown): void;
}

/**
 * Types what comes from a source into a session, in order, each key once. A
 * terminal's keys may have escape sequences among them; piped input is typed as it
 * is, and where it ends Ctrl-D is typed until the session has ended.
 */
export class Keyboard {
  readonly #session: Pick<Session, "sendInput">;
  readonly #keys: Readable;
  readonly #over: AbortSignal;
  readonly #events: KeyboardEvents;
  #pendingBytes = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    session: Pick<Session, "sendInput">,
    { keys, isInteractive }: KeySource,
    over: AbortSignal,
    events: KeyboardEvents,
  ) {
    this.#session = session;
    this.#keys = keys;
    this.#over = over;
    this.#events = events;
    if (isInteractive) this.#listen();
    else this.#pipe();
  }

  /** Resolves when the session has accepted what has been typed; with false where it has not after the given time. */
  async flushed(limitMs: number): Promise<boolean> {
    await within(this.#last, limitMs, { ref: false });
    return this.#pendingBytes === 0;
  }

  #listen(): void {
    const escapes = new EscapeKeys();
    this.#keys.on("data", (data: Buffer) => {
      for (const action of escapes.push(data)) {
        if (action.type === "send") this.#type(action.data);
        else this.#events[action.type]();
      }
    });
    // The window was closed, or the terminal's other end has gone.
    for (const gone of ["end", "error"]) this.#keys.on(gone, () => this.#events.detach());
  }

  #pipe(): void {
    this.#keys.on("data", (data: Buffer) => this.#type(data));
    this.#keys.on("error", (error) => this.#events.failed(error));
    this.#keys.on("end", async () => {
      while (!this.#over.aborted) {
        this.#type(Buffer.from(CTRL_D));
        await this.#last;
        await pause(CTRL_D_EVERY_MS, { signal: this.#over, ref: false });
      }
    });
  }

  #type(data: Uint8Array): void {
    if (this.#over.aborted) return;
    this.#pendingBytes += data.length;
    if (this.#pendingBytes >= MAX_PENDING_BYTES) this.#keys.pause();
    this.#last = this.#send(data);
  }

  async #send(data: Uint8Array): Promise<void> {
    try {
      await this.#session.sendInput(data, { reconnectWindowMs: SHELL_RECONNECT_WINDOW_MS });
    } catch (thrown) {
      // A session that has ended takes no more; its output says that it has.
      if (!this.#over.aborted && CmdopError.from(thrown).code !== "JobEnded") this.#events.failed(thrown);
      return;
    }
    this.#pendingBytes -= data.length;
    if (this.#pendingBytes < MAX_PENDING_BYTES) this.#keys.resume();
  }
}
