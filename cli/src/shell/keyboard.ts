import type { Readable } from "node:stream";
import { pause, within } from "@cmdop/kit";
import { CmdopError, type Session } from "@cmdop/sdk";
import { EscapeKeys } from "./escape-keys.ts";
import { SHELL_RECONNECT_WINDOW_MS } from "./limits.ts";

/**
 * Most bytes of keys that the machine has not accepted yet, beyond which reading waits. Nobody types that
 * much in an outage.
 */
const MAX_PENDING_BYTES = 1024 * 1024;

/** Key that ends the input of a program that reads lines. */
const CTRL_D = "\x04";

/**
 * Interval at which Ctrl-D is typed after the end of piped input, in milliseconds. One that comes while no
 * program reads, or while a shell sets up its terminal, is lost.
 */
const CTRL_D_EVERY_MS = 1000;

/** A source of keys. */
export interface KeySource {
  readonly keys: Readable;
  /** True if a person types them. */
  readonly isInteractive: boolean;
}

/** Callbacks of the keyboard. */
export interface KeyboardEvents {
  /** Called when the person wants to leave. */
  detach(): void;
  /** Called when the person wants to see the escape sequences. */
  help(): void;
  /** Called when the keys can't be sent, with the reason. */
  failed(thrown: unknown): void;
}

/**
 * Types the keys of a source into a session, in order, each once. A terminal's keys may contain escape
 * sequences. Piped input is typed unchanged, and at its end Ctrl-D is typed until the session has ended.
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

  /** Waits until the session has accepted all typed keys. Returns false if it has not within the time. */
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
    // The window was closed, or the terminal's other end is gone.
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
      // A session that has ended takes no more keys; its output shows the end.
      if (!this.#over.aborted && CmdopError.from(thrown).code !== "JobEnded") this.#events.failed(thrown);
      return;
    }
    this.#pendingBytes -= data.length;
    if (this.#pendingBytes < MAX_PENDING_BYTES) this.#keys.resume();
  }
}
