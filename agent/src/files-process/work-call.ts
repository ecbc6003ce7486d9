import type { CmdopError } from "@cmdop/proto";
import { FRAME } from "./frames.ts";
import { MessageQueue, SendWindow } from "./message-queue.ts";
import type { Pipe } from "./pipe.ts";
import { readFailure } from "./reports.ts";

/** A call, seen from the agent. It is over for its caller at its first end; the process may still be at work on it. */
export class WorkCall {
  readonly #pipe: Pipe;
  readonly #id: number;
  readonly #answers: MessageQueue;
  /** Opens when the process is done with a request: until then the request counts as held. */
  readonly #consumed = new SendWindow(0);
  readonly #settled = Promise.withResolvers<void>();
  #isOver = false;

  constructor(pipe: Pipe, id: number, recycles: boolean) {
    this.#pipe = pipe;
    this.#id = id;
    this.#answers = new MessageQueue({ recycles, onConsumed: () => void pipe.send(FRAME.consumed, id) });
  }

  /** Resolves when the process has ended it, or is gone. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  room(bytes: number): Buffer {
    return this.#answers.room(bytes);
  }

  /** A frame of the process's. Throws for one that makes no sense. */
  take(kind: number, payload: Buffer): void {
    if (kind === FRAME.message) this.#answers.push(payload);
    else if (kind === FRAME.consumed) this.#consumed.give();
    else if (kind === FRAME.end) this.#settle(() => this.#answers.end());
    else if (kind === FRAME.failed) {
      const error = readFailure(payload);
      this.#settle(() => this.#answers.end({ thrown: error }));
    } else throw new TypeError(`a frame of the kind ${kind}`);
  }

  /** The process is gone. */
  lost(error: CmdopError): void {
    this.#settle(() => this.#answers.fail(error));
  }

  /** Sends the only request. */
  ask(pieces: readonly Buffer[]): void {
    void this.#pipe.send(FRAME.message, this.#id, pieces);
    this.finish();
  }

  /** Sends one of several; resolves when the process is done with it. */
  async send(pieces: readonly Buffer[]): Promise<void> {
    if (this.#isOver) return;
    await this.#pipe.send(FRAME.message, this.#id, pieces);
    await this.#consumed.enter();
  }

  /** Says that the requests are complete. */
  finish(): void {
    if (!this.#isOver) void this.#pipe.send(FRAME.end, this.#id);
  }

  /** The next answer; undefined when there are no more. Throws what the call failed with. */
  next(): Promise<Buffer | undefined> {
    return this.#answers.next();
  }

  /** Nobody waits for it any more. */
  leave(why: unknown): void {
    if (this.#isOver) return;
    void this.#pipe.send(FRAME.cancel, this.#id);
    this.#isOver = true;
    this.#consumed.close();
    this.#answers.fail(why);
  }

  #settle(end: () => void): void {
    this.#isOver = true;
    this.#consumed.close();
    end();
    this.#settled.resolve();
  }
}
