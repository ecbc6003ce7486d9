import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { CmdopError } from "../errors/cmdop-error.ts";
import { errorTrailers, OK_TRAILERS } from "../errors/wire.ts";
import { headerIn, responseHeaders } from "./headers.ts";
import { Inbox, type InboxOptions } from "./inbox.ts";
import { sendFrame } from "./outbox.ts";
import type { ServedCall, Watch, WatchCall } from "./served-call.ts";

/** One gRPC call, seen from who answers it. */
export class IncomingCall<In> implements ServedCall {
  readonly stream: ServerHttp2Stream;
  readonly requests: Inbox<In>;
  /** Aborts when the stream is over, for whatever reason. */
  readonly signal: AbortSignal;
  readonly #headers: IncomingHttpHeaders;
  readonly #over = new AbortController();
  readonly #watch: Watch;
  #dropped: CmdopError | undefined;
  #working: Promise<unknown> | undefined;
  #isAnswered = false;
  #isClosed = false;
  #trailers: Readonly<Record<string, string>> = OK_TRAILERS;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    requests: InboxOptions<In>,
    watch: WatchCall,
  ) {
    this.stream = stream;
    this.#headers = headers;
    this.signal = this.#over.signal;
    // Every error of a stream is followed by its close, which says all that matters.
    stream.on("error", () => undefined);
    stream.once("close", () => {
      this.#isClosed = true;
      this.#over.abort();
      this.#endIfGone();
    });
    this.requests = new Inbox(stream, requests);
    this.#watch = watch(this);
  }

  header(name: string): string | undefined {
    return headerIn(this.#headers, name);
  }

  heldBytes(): number {
    return this.requests.freeableBytes + this.keptBytes();
  }

  keptBytes(): number {
    return this.requests.readBytes;
  }

  canBeDropped(): boolean {
    if (this.#dropped !== undefined) return false;
    return this.#working === undefined || this.requests.freeableBytes > 0;
  }

  drop(error: CmdopError): void {
    if (this.#dropped !== undefined) return;
    this.#dropped = error;
    this.requests.fail(error);
    this.#over.abort(error);
    const { stream } = this;
    // The error comes last: behind an answer that nobody reads it would wait for ever.
    const isBehind = stream.writableLength > 0;
    // A status would say that nothing has happened.
    const mayHaveRun = this.#working !== undefined && !stream.writableEnded;
    if (isBehind || mayHaveRun) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    else this.fail(error);
  }

  /** Runs the handler's work, unless the call was dropped before. */
  work<T>(start: () => Promise<T>): Promise<T> {
    if (this.#dropped !== undefined) throw this.#dropped;
    this.#watch.begin();
    const working = start();
    this.#working = working;
    return working;
  }

  /** To be called when the call has its answer; its handler may go on, as nobody waits for one whose caller lost its right. */
  async answered(): Promise<void> {
    await Promise.allSettled([this.#working]);
    this.#isAnswered = true;
    this.#endIfGone();
  }

  /** Sends the answer's headers, where they have not been sent, with these among them. */
  inform(headers: Readonly<Record<string, string>> = {}): void {
    const { stream } = this;
    if (stream.headersSent || stream.closed || stream.destroyed) return;
    stream.respond(responseHeaders(headers), { waitForTrailers: true });
    stream.once("wantTrailers", () => {
      // The last words of a stream that was reset: there must be none.
      if (stream.closed || stream.destroyed) return;
      stream.sendTrailers(this.#trailers);
      stopReceiving(stream);
    });
  }

  /** Sends a message at its reader's pace. */
  async send(pieces: Buffer[]): Promise<void> {
    this.inform();
    await sendFrame(this.stream, pieces, this.signal);
  }

  /** Ends the call well, with a last message where there is one. */
  finish(pieces: Buffer[] = []): void {
    this.inform();
    const { stream } = this;
    if (stream.destroyed || stream.writableEnded) return;
    stream.cork();
    for (const piece of pieces) stream.write(piece);
    stream.end();
  }

  /** Ends the call with an error, after what has been sent already. */
  fail(error: CmdopError): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed || stream.writableEnded) return;
    if (stream.headersSent) {
      this.#trailers = errorTrailers(error);
      stream.end();
    } else {
      stream.respond(responseHeaders(errorTrailers(error)), { endStream: true });
      stopReceiving(stream);
    }
  }

  #endIfGone(): void {
    if (this.#isAnswered && this.#isClosed) this.#watch.end();
  }
}

/**
 * Tells a caller whose answer is complete to stop sending, and drops what it
 * sent in vain. A moment later, since most callers have finished already and
 * their own end is just on its way: then no reset is needed.
 */
export function stopReceiving(stream: ServerHttp2Stream): void {
  setImmediate(() => {
    if (stream.readableEnded || stream.closed || stream.destroyed) return;
    stream.removeAllListeners("data");
    stream.resume();
    stream.close(constants.NGHTTP2_NO_ERROR);
  });
}
