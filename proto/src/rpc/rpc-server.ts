import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import { CmdopError } from "../errors/cmdop-error.ts";
import { errorTrailers } from "../errors/wire.ts";
import { MAX_LINK_HEADER_BYTES } from "../limits.ts";
import { fitWindow } from "../transport/fit-window.ts";
import type { Windows } from "../transport/lanes.ts";
import { isGrpc, responseHeaders } from "./headers.ts";
import { stopReceiving } from "./incoming-call.ts";
import { unwatched, type WatchCall } from "./served-call.ts";

/**
 * Stream resets that one connection may see at once, and per second after that.
 * Node closes a whole session beyond 1,000 and 33/s, all callers counted
 * together; behind a relay that limits its own callers that would let one
 * caller's cancels end everybody's calls.
 */
const STREAM_RESET_BURST = 1_000_000;
const STREAM_RESET_RATE_PER_S = 100_000;

/** HTTP/2's own bookkeeping of a connection, in MB: Node's default of 10 ends one with 10,000 streams. */
const SESSION_MEMORY_MB = 1_024;

/** Answers one call. */
export type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** A gRPC server for connections that exist already, whoever dialled them. */
export class RpcServer {
  readonly #methods = new Map<string, Answer>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Told of each call by whoever answers it. */
  readonly watch: WatchCall;

  constructor(watch: WatchCall = unwatched) {
    this.watch = watch;
  }

  /** Adds a method; `serve` does, for all of a service. */
  register(path: string, answer: Answer): void {
    if (this.#methods.has(path)) throw new TypeError(`${path} is served already`);
    this.#methods.set(path, answer);
  }

  /** Serves the calls of a connection; the HTTP/2 session that runs on it. */
  accept(connection: Duplex, windows: Windows): ServerHttp2Session {
    const session = performServerHandshake(connection, {
      // A large header block must fail its own call; over Node's default it would end the whole session.
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      maxSessionMemory: SESSION_MEMORY_MB,
      streamResetBurst: STREAM_RESET_BURST,
      streamResetRate: STREAM_RESET_RATE_PER_S,
      settings: { initialWindowSize: windows.stream, maxHeaderListSize: MAX_LINK_HEADER_BYTES },
    });
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    session.once("connect", () => {
      if (session.destroyed) return;
      session.setLocalWindowSize(windows.session);
      fitWindow(session, windows);
    });
    // An error is followed by close.
    session.on("error", () => undefined);
    session.on("stream", (stream, headers) => this.#answer(stream, headers));
    return session;
  }

  /** Takes no more calls: each connection ends with the last one that it has. */
  drain(): void {
    for (const session of this.#sessions) if (!session.closed) session.close();
  }

  /** Ends all connections at once. */
  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = headers[":path"] ?? "";
    const answer = this.#methods.get(path);
    if (answer !== undefined && isGrpc(headers) && headers[":method"] === "POST") {
      answer(stream, headers);
      return;
    }
    stream.on("error", () => undefined);
    const refusal = isGrpc(headers)
      ? responseHeaders(errorTrailers(new CmdopError("Unimplemented", "No such method is served here.")))
      : { ":status": 415, "content-type": "text/plain" };
    stream.respond(refusal, { endStream: true });
    stopReceiving(stream);
  }
}
