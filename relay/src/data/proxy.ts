import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { CmdopError, errorTrailers, noteContent, stopReceiving, unreadBytes } from "@cmdop/proto";
import { answerError } from "./answer.ts";
import { callCode } from "./call-code.ts";
import { responseHeaders } from "./headers.ts";
import { Outlet } from "./outlet.ts";
import type { CallCode, CallEnding } from "./recorder.ts";
import type { Upstream } from "./upstream.ts";

/** A call on its way through the relay. */
export interface ProxiedCall {
  /** Content that waits here for a slow reader on either side, and the begun request that its receiver must hold, in bytes. */
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
  /** Bytes that the request's body may have; infinite for a request stream. */
  readonly maxRequestBytes: number;
  /**
   * Called with true when the call begins to make somebody hold content: a side
   * reads more slowly than the other writes, or a request that counts only as a
   * whole has begun. Called with false when that is over.
   */
  readonly onHold: (holding: boolean) => void;
  /** Called once, when the caller's side is over; `canceled`: the upstream saw a reset that was the caller's doing. */
  readonly onEnd: (ending: CallEnding & { readonly canceled: boolean }) => void;
}

/**
 * Pipes one call, bytes both ways, at the pace of the slower side. What ends
 * one side ends the other alike: end with end, trailers with trailers, reset
 * with reset. Only an upstream that dies is put into words, as LinkLost.
 */
export function proxy(options: ProxyOptions): ProxiedCall {
  const { caller, upstream, headers, maxRequestBytes, onHold, onEnd } = options;
  const cancel = new AbortController();
  const request = upstream.open(headers, cancel.signal);
  let trailers: IncomingHttpHeaders | undefined;
  let failure: CmdopError | undefined;
  let complete = false;
  let canceled = false;
  let requestBytes = 0;
  let responseBytes = 0;
  /** How it ended for the caller: the first reason counts. */
  let code: CallCode | undefined;
  const reasons = new Set<"caller paused" | "request paused" | "request begun">();

  const hold = (reason: "caller paused" | "request paused" | "request begun", holds: boolean): void => {
    const before = reasons.size > 0;
    if (holds) reasons.add(reason);
    else reasons.delete(reason);
    if (reasons.size > 0 !== before) onHold(reasons.size > 0);
  };

  const fail = (error: CmdopError): void => {
    if (complete || failure !== undefined) return;
    // The whole answer is here: only the caller is still reading it, and the upstream may go.
    if (trailers !== undefined) return;
    failure = error;
    code ??= error.code;
    cancel.abort();
    if (caller.headersSent) caller.end();
    else answerError(caller, error);
  };
  /** Ends the caller's side by a reset of ours, which is no cancel of the caller's. */
  const reset = (code: number): void => {
    caller.off("aborted", leave);
    if (!caller.closed) caller.close(code);
  };
  const release = upstream.carry({ fail });
  const toMachine = new Outlet(caller, request, (waits) => hold("caller paused", waits));
  const toCaller = new Outlet(request, caller, (waits) => hold("request paused", waits));

  caller.on("data", (chunk: Buffer) => {
    requestBytes += chunk.length;
    noteContent(chunk.length);
    if (requestBytes > maxRequestBytes) {
      canceled ||= failure === undefined && !complete;
      fail(tooLarge(maxRequestBytes));
      return;
    }
    if (Number.isFinite(maxRequestBytes)) hold("request begun", true);
    toMachine.write(chunk);
  });
  caller.on("end", () => {
    hold("request begun", false);
    // A reset ends the readable side too, and must not reach the machine as a proper end.
    if (!caller.aborted) request.end();
  });
  const leave = (): void => {
    if (!complete) code ??= "Canceled";
    canceled ||= failure === undefined && !complete;
    cancel.abort();
  };
  caller.once("aborted", leave);
  caller.once("close", () => {
    cancel.abort();
    release();
    hold("caller paused", false);
    hold("request paused", false);
    hold("request begun", false);
    onEnd({ canceled, code: code ?? "Canceled", bytesIn: requestBytes, bytesOut: responseBytes });
  });

  request.once("trailers", (received) => {
    trailers = received;
    // All else is here too, and would be lost with the upstream: take it, a window's worth at most.
    while (request.read() !== null); // each read is a "data" event
    caller.end();
  });
  request.once("response", (received, flags) => {
    if (caller.destroyed || caller.headersSent) return;
    const status = received[":status"];
    // With some of them Node ends the answer at once: 204 has no content, and so no trailers.
    if (status !== 200) {
      fail(unspeakable(`the HTTP status ${status}, where gRPC has 200`));
      return;
    }
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    try {
      caller.respond(responseHeaders(received), isWhole ? { endStream: true } : { waitForTrailers: true });
    } catch (thrown) {
      fail(unspeakable("headers that can't be passed on", thrown));
      return;
    }
    if (isWhole) {
      complete = true;
      code ??= callCode(received);
      stopReceiving(caller);
      return;
    }
    caller.once("wantTrailers", () => {
      // The last words of a stream that was reset: there must be none.
      if (caller.closed || caller.destroyed) return;
      complete ||= failure === undefined;
      code ??= trailers === undefined ? unfinished().code : callCode(trailers);
      try {
        caller.sendTrailers(
          failure === undefined && trailers !== undefined
            ? responseHeaders(trailers)
            : errorTrailers(failure ?? unfinished()),
        );
      } catch (thrown) {
        const error = unspeakable("trailers that can't be passed on", thrown);
        code = error.code;
        caller.sendTrailers(errorTrailers(error));
      }
      stopReceiving(caller);
    });
    // Content can arrive before the headers' event; sent on then, it would be answered without trailers.
    request.on("data", (chunk: Buffer) => {
      responseBytes += chunk.length;
      noteContent(chunk.length);
      toCaller.write(chunk);
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
    else {
      code ??= RESET_CODES[rstCode] ?? "LinkLost";
      reset(rstCode);
    }
  });

  return {
    heldBytes: () =>
      unreadBytes(caller) +
      caller.writableLength +
      unreadBytes(request) +
      Math.max(request.writableLength, reasons.has("request begun") ? requestBytes : 0),
    fail,
    drop() {
      code ??= "LimitExceeded";
      cancel.abort();
      reset(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    },
  };
}

/** What a machine's reset is to its caller; any other is a lost link. */
const RESET_CODES: Readonly<Record<number, CallCode>> = {
  [constants.NGHTTP2_CANCEL]: "Canceled",
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: "LimitExceeded",
};

function tooLarge(maxBytes: number): CmdopError {
  return new CmdopError(
    "MessageTooLarge",
    `The request has more than ${maxBytes} bytes, which are the most for this method.`,
  );
}

function unfinished(): CmdopError {
  return new CmdopError("LinkLost", "The machine ended the call without a status.");
}

/** Node may receive what it does not send, and no gRPC client would understand some of what it does; a machine must not bring the relay down by them. */
function unspeakable(what: string, cause?: unknown): CmdopError {
  return new CmdopError("Internal", `The machine's answer has ${what}.`, { cause });
}

function refusedStream(): CmdopError {
  return new CmdopError("LinkLost", "The machine was closing its link and did not take the call.", {
    next: "The call was not carried out: repeat it.",
  });
}
