import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from "node:http2";
import { onAbort } from "@cmdop/kit";
import { CmdopError } from "../errors/cmdop-error.ts";
import { STATUS } from "../errors/status.ts";
import { errorOfTrailers, type ReceivedHeaders, statusIn } from "../errors/wire.ts";
import { MAX_MESSAGE_BYTES } from "../limits.ts";
import { BrokenCall } from "./broken-call.ts";
import type { RpcChannel } from "./channel.ts";
import { headerIn, requestHeaders } from "./headers.ts";
import { Inbox } from "./inbox.ts";
import { sendFrame } from "./outbox.ts";
import type { CallOptions } from "./types.ts";

/** Times that a call is opened: a connection that was just closing refuses it unread, and the next one takes it. */
const MAX_OPENINGS = 3;

/** What a call is: where it goes, and how its answers are read. */
export interface OutgoingMethod<Out> {
  readonly channel: RpcChannel;
  readonly path: string;
  readonly deserialize: (body: Buffer) => Out;
}

/** The stream that carries a call, and what it has brought. */
interface Attempt<Out> {
  readonly stream: ClientHttp2Stream;
  readonly inbox: Inbox<Out>;
  /** Resolves when the stream is closed, or given up: a dead connection may never say so. */
  readonly closed: Promise<void>;
  readonly giveUp: () => void;
  isAnswered: boolean;
  /** Whether it closed because its whole connection ended. */
  isConnectionOver: boolean;
  trailers: ReceivedHeaders | undefined;
}

/** One gRPC call, seen from its caller. However it ends, `release` comes last. */
export class OutgoingCall<Out> {
  readonly #method: OutgoingMethod<Out>;
  readonly #options: CallOptions;
  readonly #over = new AbortController();
  readonly #release: (() => void)[] = [];
  #attempt: Attempt<Out> | undefined;
  /** Why this side ended it: the first reason counts. */
  #ended: { readonly why: unknown } | undefined;

  constructor(method: OutgoingMethod<Out>, options: CallOptions) {
    this.#method = method;
    this.#options = options;
  }

  /** Aborts when the call is over or given up. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Opens the stream; what can be repeated is sent with `request`, in one go. */
  async open(request?: Buffer[]): Promise<void> {
    const { signal, timeoutMs } = this.#options;
    const headers = requestHeaders(this.#method.path, this.#options.headers ?? {});
    this.#release.push(onAbort(signal, () => this.cancel(canceled())));
    if (timeoutMs !== undefined) {
      const timer = setTimeout(() => this.cancel(tooLate(this.#method.path, timeoutMs)), timeoutMs);
      this.#release.push(() => clearTimeout(timer));
    }
    for (let opening = 1; ; opening += 1) {
      if (this.#ended !== undefined) throw this.#ended.why;
      const stream = await this.#opened(headers);
      this.#attempt = this.#attend(stream);
      // Given up while the stream was opened: there was none yet that could be closed.
      this.#refuseEnded();
      if (request === undefined) return;
      for (const piece of request.slice(0, -1)) stream.write(piece);
      stream.end(request.at(-1));
      if (opening === MAX_OPENINGS || !(await this.#isRefusedUnread(this.#attempt))) return;
    }
  }

  /** Sends a message of a request stream, at its receiver's pace. */
  async send(pieces: Buffer[]): Promise<void> {
    if (this.#attempt !== undefined) await sendFrame(this.#attempt.stream, pieces, this.#over.signal);
  }

  /** Says that the request stream is complete. */
  finish(): void {
    this.#attempt?.stream.end();
  }

  /** The next message of the answer; undefined when it ended well. Throws the CmdopError that it ended with, or what the caller's own `onHeaders` threw. */
  async next(): Promise<Out | undefined> {
    const letGo = this.#hold();
    try {
      return await this.#next();
    } finally {
      letGo();
    }
  }

  async #next(): Promise<Out | undefined> {
    const attempt = this.#attempt;
    if (attempt === undefined) throw new TypeError("the call has not been opened");
    this.#refuseEnded();
    let message: Out | undefined;
    try {
      message = await attempt.inbox.next();
    } catch (thrown) {
      this.cancel(CmdopError.from(thrown));
    }
    if (this.#ended !== undefined) throw this.#ended.why;
    if (message !== undefined) return message;
    if (attempt.trailers === undefined) await this.#endOf(attempt);
    this.#refuseEnded();
    const failure = this.#failureOf(attempt);
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** Ends the call where it is not over yet; `next` throws this. */
  cancel(why: unknown = canceled()): void {
    this.#ended ??= { why };
    this.#over.abort();
    if (this.#attempt === undefined) return;
    const { stream, giveUp } = this.#attempt;
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    giveUp();
  }

  /** The caller has what it wants, or does not want it any more. */
  release(): void {
    for (const release of this.#release.splice(0)) release();
    const attempt = this.#attempt;
    if (attempt?.inbox.state === "ended" && attempt.stream.writableEnded) this.#over.abort();
    else this.cancel();
  }

  /** Keeps the program running, where it is to wait for this call. */
  #hold(): () => void {
    const { hold } = this.#method.channel;
    return hold === undefined || this.#options.background === true ? () => undefined : hold();
  }

  #refuseEnded(): void {
    if (this.#ended === undefined) return;
    this.cancel();
    throw this.#ended.why;
  }

  async #opened(headers: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    try {
      return await this.#method.channel.open(headers, this.#over.signal);
    } catch (thrown) {
      throw this.#ended === undefined ? thrown : this.#ended.why;
    }
  }

  #attend(stream: ClientHttp2Stream): Attempt<Out> {
    const inbox = new Inbox(stream, {
      maxBytes: this.#options.maxAnswerBytes ?? MAX_MESSAGE_BYTES,
      decode: (body) => this.#read(body),
      recycles: this.#options.recycles,
    });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      inbox.stop();
      resolve();
    };
    const attempt: Attempt<Out> = {
      stream,
      inbox,
      closed,
      giveUp,
      isAnswered: false,
      isConnectionOver: false,
      trailers: undefined,
    };
    const { session } = stream;
    // Every error of a stream is followed by its close, and rstCode says all that matters.
    stream.on("error", () => undefined);
    stream.once("close", () => {
      attempt.isConnectionOver = session?.destroyed ?? true;
      resolve();
    });
    stream.once("response", (headers) => {
      attempt.isAnswered = true;
      const httpStatus = headers[":status"];
      // Only an answer without messages has its status here.
      if (statusIn(headers) !== undefined) attempt.trailers = headers;
      else if (httpStatus !== 200) this.cancel(notGrpc(this.#method.path, httpStatus));
      else this.#tell(headers);
    });
    stream.once("trailers", (trailers) => {
      attempt.trailers = trailers;
    });
    return attempt;
  }

  /** Waits for the answer's beginning; true when the connection was closing and did not take the call. */
  async #isRefusedUnread(attempt: Attempt<Out>): Promise<boolean> {
    const { stream, closed } = attempt;
    const answered = new Promise<void>((resolve) => stream.once("response", () => resolve()));
    const letGo = this.#hold();
    await Promise.race([answered, closed]).finally(letGo);
    // The code may be known before the answer's event comes, where both arrived at once.
    if (attempt.isAnswered || this.#ended !== undefined) return false;
    return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  /** In an event of the stream, what the caller's own function throws would end the whole program. */
  #tell(headers: ReceivedHeaders): void {
    try {
      this.#options.onHeaders?.((name) => headerIn(headers, name));
    } catch (thrown) {
      this.cancel(thrown);
    }
  }

  /** Waits until it is known that no status will come. */
  async #endOf({ stream, closed }: Attempt<Out>): Promise<void> {
    // Content was the last that the peer said, and our requests could go on for ever.
    if (stream.readableEnded && !stream.rstCode) this.cancel(connectionBroke(this.#method.path, 0));
    else await closed;
  }

  #failureOf(attempt: Attempt<Out>): CmdopError | undefined {
    const { inbox, trailers } = attempt;
    if (trailers === undefined) return this.#brokenOff(attempt);
    if (statusIn(trailers) !== STATUS.OK) {
      return errorOfTrailers(trailers, this.#options.signal?.aborted ?? false);
    }
    // Its last words came, but not all that was to come before them.
    return inbox.state === "ended" ? undefined : this.#brokenOff(attempt);
  }

  /** The end without a status. */
  #brokenOff({ stream, isConnectionOver }: Attempt<Out>): CmdopError {
    const { path } = this.#method;
    const isTooMuch = stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM && !isConnectionOver;
    if (!isTooMuch) return connectionBroke(path, stream.rstCode);
    return new BrokenCall("LimitExceeded", `${path} was broken off: it held more than it may.`);
  }

  #read(body: Buffer): Out {
    try {
      return this.#method.deserialize(body);
    } catch (cause) {
      throw new CmdopError("Internal", `An answer to ${this.#method.path} can't be read.`, { cause });
    }
  }
}

function canceled(): CmdopError {
  return new CmdopError("Canceled", "The call was canceled.");
}

function tooLate(path: string, timeoutMs: number): CmdopError {
  return new CmdopError("DeadlineExceeded", `${path} was not answered within ${timeoutMs} ms.`);
}

function notGrpc(path: string, status: unknown): CmdopError {
  return new CmdopError("LinkLost", `${path} was answered with HTTP status ${status}, which is not gRPC.`, {
    next: "Check the address: something else answers there, a proxy perhaps.",
  });
}

function connectionBroke(path: string, rstCode: number | undefined): CmdopError {
  const how = rstCode === undefined || rstCode === 0 ? "" : ` (HTTP/2 error ${rstCode})`;
  return new CmdopError("LinkLost", `The connection broke before ${path} was answered${how}.`);
}
