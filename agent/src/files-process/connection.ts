import type { ChildProcess } from "node:child_process";
import { CmdopError } from "@cmdop/proto";
import { FRAME, FrameReader } from "./frames.ts";
import { type Launched, launch } from "./launch.ts";
import { PING_EVERY_MS, SILENT_FOR_MS } from "./limits.ts";
import { Pipe, readingInto } from "./pipe.ts";
import { readReport } from "./reports.ts";
import { type Hello, type Opening, type Order, orderBytes, type ProcessUser, type Report } from "./told.ts";
import { WorkCall } from "./work-call.ts";

/** Told of what the process says beside its calls. Throws for what makes no sense. */
export type OnReport = (from: Connection, report: Report) => void;

/** A files process that runs, and the calls that it carries out. */
export class Connection {
  readonly #child: ChildProcess;
  readonly #pipe: Pipe;
  readonly #calls = new Map<number, WorkCall>();
  readonly #watch: NodeJS.Timeout;
  /** Resolves, with how, when no thread of the process is at work any more. */
  readonly gone: Promise<string>;
  #lastId = 0;
  #heardAtMs = performance.now();
  #isEnded = false;
  #isStarting = true;
  #diedItself = false;
  #user: ProcessUser | undefined;

  private constructor({ child, socket, gone }: Launched) {
    this.#child = child;
    this.#pipe = new Pipe(socket);
    const over = (): void => {
      this.#diedItself ||= !this.#isEnded;
      this.end("it ended by itself");
    };
    // The pipe may tell it a little earlier.
    void this.#pipe.closed.then(over);
    this.gone = gone.then((how) => {
      over();
      return how;
    });
    this.#watch = setInterval(() => this.#ping(), PING_EVERY_MS).unref();
  }

  /** Starts a process, which is greeted next. */
  static async open(onReport: OnReport): Promise<Connection> {
    let connection: Connection | undefined;
    const reader = new FrameReader({
      room: (id, bytes) => connection?.room(id, bytes) ?? Buffer.allocUnsafe(bytes),
      take: (kind, id, payload) => connection?.take(kind, id, payload, onReport),
    });
    const launched = await launch(
      readingInto(reader, (thrown) => connection?.end(`it sent what makes no sense: ${String(thrown)}`)),
    );
    connection = new Connection(launched);
    return connection;
  }

  /** Memory for what comes. */
  room(id: number, bytes: number): Buffer {
    return this.#calls.get(id)?.room(bytes) ?? Buffer.allocUnsafe(bytes);
  }

  /** A frame that came. Throws for one that makes no sense. */
  take(kind: number, id: number, payload: Buffer, onReport: OnReport): void {
    this.#heardAtMs = performance.now();
    if (this.#isEnded) return;
    if (kind === FRAME.told) onReport(this, readReport(payload));
    // Of a call that is over some frames may still come.
    else this.#calls.get(id)?.take(kind, payload);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether the process is to be used no more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether nobody here has ended it. */
  get diedItself(): boolean {
    return this.#diedItself;
  }

  /** Begins a call. `recycles`: an answer is its reader's only until it asks for the next. */
  begin(opening: Opening, recycles: boolean): WorkCall {
    this.#lastId += 1;
    const id = this.#lastId;
    const call = new WorkCall(this.#pipe, id, recycles);
    this.#calls.set(id, call);
    this.#holdOpen();
    void call.settled.then(() => {
      this.#calls.delete(id);
      this.#holdOpen();
    });
    void this.#pipe.send(FRAME.open, id, [orderBytes(opening)]);
    return call;
  }

  /** Says how the work is to be done, before any. */
  greet(hello: Omit<Hello, "kind">): void {
    this.#user = hello.user;
    this.tell({ kind: "hello", ...hello });
  }

  /** It is ready, or never will be: from now on only calls hold it open. */
  started(): void {
    this.#isStarting = false;
    this.#holdOpen();
  }

  /** Whom the process belongs to; undefined: to our own user. */
  get user(): ProcessUser | undefined {
    return this.#user;
  }

  tell(order: Order): void {
    void this.#pipe.send(FRAME.told, 0, [orderBytes(order)]);
  }

  /** Resolves when the process has ended all calls, also those that nobody waits for. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all([...this.#calls.values()].map(({ settled }) => settled));
  }

  /** Kills the process; whatever it was at work on is told that the connection broke. */
  end(why: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#watch);
    this.#child.kill("SIGKILL");
    this.#pipe.close();
    const error = new CmdopError(
      "LinkLost",
      `The machine's process for files ended in the middle (${why}).`,
      {
        next: "Look before you repeat a call that changes something; reads can be repeated.",
      },
    );
    for (const call of this.#calls.values()) call.lost(error);
  }

  #ping(): void {
    if (performance.now() - this.#heardAtMs > SILENT_FOR_MS) this.end("it did not answer");
    else this.tell({ kind: "ping" });
  }

  /** An idle process keeps nobody from exiting; one that is being started or has something to do does. */
  #holdOpen(): void {
    const isBusy = this.#isStarting || this.#calls.size > 0;
    this.#pipe.holdOpen(isBusy);
    if (isBusy) this.#child.ref();
    else this.#child.unref();
  }
}
