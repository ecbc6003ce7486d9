import { CmdopError } from "@cmdop/proto";
import { FRAME } from "./frames.ts";
import { ANSWERS_AHEAD } from "./limits.ts";
import { MessageQueue, SendWindow } from "./message-queue.ts";
import type { Pipe } from "./pipe.ts";
import { reportBytes } from "./told.ts";

/** Characters of an error's text that are told: paths are shown cut, but several may be in one. */
const MAX_TOLD_CHARACTERS = 4 * 1024;

/** A call, seen from the process that carries it out. It is over for the agent at its first end; its handler may take longer. */
export class HostedCall {
  readonly #pipe: Pipe;
  readonly #id: number;
  readonly #requests: MessageQueue;
  readonly #window = new SendWindow(ANSWERS_AHEAD);
  readonly #over = new AbortController();
  #isOver = false;

  /** `recycles`: a request is its reader's only until it asks for the next. */
  constructor(pipe: Pipe, id: number, recycles: boolean) {
    this.#pipe = pipe;
    this.#id = id;
    this.#requests = new MessageQueue({
      recycles,
      onConsumed: () => void pipe.send(FRAME.consumed, id),
    });
  }

  /** Aborts when nobody waits for the call any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  room(bytes: number): Buffer {
    return this.#requests.room(bytes);
  }

  /** A frame of the agent's. False for one that makes no sense. */
  take(kind: number, payload: Buffer): boolean {
    if (kind === FRAME.message) this.#requests.push(payload);
    else if (kind === FRAME.consumed) this.#window.give();
    else if (kind === FRAME.end) this.#requests.end();
    else if (kind === FRAME.cancel) this.#leave();
    else return false;
    return true;
  }

  /** The next request; undefined when there are no more, for whatever reason. */
  next(): Promise<Buffer | undefined> {
    return this.#requests.next();
  }

  /** Sends a message at its reader's pace; its memory may be used again then. */
  async send(pieces: readonly Buffer[]): Promise<void> {
    await this.#window.enter();
    if (!this.#isOver && !this.signal.aborted) await this.#pipe.send(FRAME.message, this.#id, pieces);
  }

  /** Ends the call well. */
  finish(): void {
    this.#end(FRAME.end);
  }

  /** Ends it with an error. */
  fail(error: CmdopError): void {
    const { code, message, next } = error;
    const failure = { code, message: cut(message), next: cut(next) };
    this.#end(FRAME.failed, [reportBytes(failure)]);
    this.#leave();
  }

  #end(kind: number, pieces: readonly Buffer[] = []): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.#pipe.send(kind, this.#id, pieces);
  }

  /** Nobody waits any more: a handler that reads or writes hears of it. */
  #leave(): void {
    this.#over.abort();
    this.#requests.fail(new CmdopError("Canceled", "The caller left before it was done."));
    this.#window.close();
  }
}

function cut(text: string): string {
  return text.length <= MAX_TOLD_CHARACTERS ? text : `${text.slice(0, MAX_TOLD_CHARACTERS)}…`;
}
