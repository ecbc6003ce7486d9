import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { CmdopError, errorTrailers } from "@cmdop/proto";
import { answerError, stopReceiving } from "./answer.ts";
import { responseHeaders } from "./headers.ts";
import type { Upstream } from "./upstream.ts";

/** A call on its way through the relay. */
export interface ProxiedCall {
  /** Content that waits here for a slow reader on either side, in bytes. */
  heldBytes(): number;
  /** Ends the call with this error; what the caller has not read yet comes first. */
  fail(error: CmdopError): void;
  /** Ends the call and drops what it holds; gRPC knows the reset as RESOURCE_EXHAUSTED. */
  drop(): void;
}

/** What proxy needs. */
export interface ProxyOptions {
  readonly caller: ServerHttp2Stream;
  readonly upstream: Upstream;
  /** The request headers as they go upstream. */
  readonly headers: OutgoingHttpHeaders;
  /** Called with true when a side reads more slowly than the other writes, with false when it has caught up. */
  readonly onStall: (stalled: boolean) => void;
  /** Called once, when the caller's side is over; whether the caller left before the answer was complete. */
  readonly onEnd: (canceled: boolean) => void;
}

/**
 * Pipes one call, bytes both ways, at the pace of the slower side. What ends
 * one side ends the other alike: end with end, trailers with trailers, reset
 * with reset. Only an upstream that dies is put into words, as LinkLost.
 */
export function proxy({ caller, upstream, headers, onStall, onEnd }: ProxyOptions): ProxiedCall {
  const cancel = new AbortController();
  const request = upstream.open(headers, cancel.signal);
  let trailers: IncomingHttpHeaders | undefined;
  let failure: CmdopError | undefined;
  let complete = false;
  const paused = new Set<"caller" | "request">();

  const setPaused = (side: "caller" | "request", isPaused: boolean): void => {
    const before = paused.size > 0;
    if (isPaused) paused.add(side);
    else paused.delete(side);
    if (paused.size > 0 !== before) onStall(paused.size > 0);
  };

  const fail = (error: CmdopError): void => {
    if (complete || failure !== undefined) return;
    failure = error;
    cancel.abort();
    if (caller.headersSent) caller.end();
    else answerError(caller, error);
  };
  const release = upstream.carry({ fail });

  caller.on("data", (chunk: Buffer) => {
    if (request.writable && !request.write(chunk)) {
      caller.pause();
      setPaused("caller", true);
    }
  });
  request.on("drain", () => {
    setPaused("caller", false);
    caller.resume();
  });
  caller.on("end", () => {
    // A reset ends the readable side too, and must not reach the machine as a proper end.
    if (!caller.aborted) request.end();
  });
  const abandon = (): void => cancel.abort();
  caller.once("aborted", abandon);
  caller.once("close", () => {
    abandon();
    release();
    setPaused("caller", false);
    setPaused("request", false);
    onEnd(!complete && failure === undefined);
  });

  request.once("trailers", (received) => {
    trailers = received;
  });
  request.once("response", (received, flags) => {
    if (caller.destroyed || caller.headersSent) return;
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    try {
      caller.respond(responseHeaders(received), isWhole ? { endStream: true } : { waitForTrailers: true });
    } catch (thrown) {
      fail(unspeakable(thrown));
      return;
    }
    if (isWhole) {
      complete = true;
      stopReceiving(caller);
      return;
    }
    caller.once("wantTrailers", () => {
      // The last words of a stream that was reset: there must be none.
      if (caller.closed || caller.destroyed) return;
      complete ||= failure === undefined;
      try {
        caller.sendTrailers(
          failure === undefined && trailers !== undefined
            ? responseHeaders(trailers)
            : errorTrailers(failure ?? unfinished()),
        );
        stopReceiving(caller);
      } catch (thrown) {
        caller.sendTrailers(errorTrailers(unspeakable(thrown)));
      }
    });
    // Content can arrive before the headers' event; sent on then, it would be answered without trailers.
    request.on("data", (chunk: Buffer) => {
      if (caller.writable && !caller.write(chunk)) {
        request.pause();
        setPaused("request", true);
      }
    });
    caller.on("drain", () => {
      setPaused("request", false);
      request.resume();
    });
    request.once("end", () => {
      // The end of a stream that was reset is not the end of an answer.
      if (request.rstCode === constants.NGHTTP2_NO_ERROR) caller.end();
    });
  });
  // Every error of a stream is followed by its close, which says all that matters.
  request.on("error", () => undefined);
  request.once("close", () => {
    if (complete || failure !== undefined || caller.closed || caller.writableEnded) return;
    const { rstCode } = request;
    const lost = upstream.lost();
    if (lost !== undefined) fail(lost);
    // A stream that a closing peer never looked at: grpc-js would repeat the call by itself if it were told.
    else if (rstCode === constants.NGHTTP2_REFUSED_STREAM) fail(refusedStream());
    else if (rstCode === undefined || rstCode === constants.NGHTTP2_NO_ERROR) fail(unfinished());
    else caller.close(rstCode);
  });

  return {
    heldBytes: () =>
      caller.readableLength + caller.writableLength + request.readableLength + request.writableLength,
    fail,
    drop() {
      cancel.abort();
      if (!caller.closed) caller.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    },
  };
}

function unfinished(): CmdopError {
  return new CmdopError("LinkLost", "The machine ended the call without a status.");
}

/** Node receives headers that it does not send, a status of 999 for one; a machine must not bring the relay down by them. */
function unspeakable(cause: unknown): CmdopError {
  return new CmdopError("Internal", "The machine's answer has headers that can't be passed on.", { cause });
}

function refusedStream(): CmdopError {
  return new CmdopError("LinkLost", "The machine was closing its link and did not take the call.", {
    next: "The call was not carried out: repeat it.",
  });
}
