import { type IncomingHttpHeaders, type OutgoingHttpHeaders, sensitiveHeaders } from "node:http2";
import { CALLER_HEADERS, CmdopError, HEADER_PREFIX, HEADERS, MAX_FRONT_HEADER_BYTES } from "@cmdop/proto";

/** Headers that speak about one connection and end with it (RFC 9110, 7.6.1); `te: trailers` is part of gRPC. */
const HOP_HEADERS = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** What HTTP/2 adds to the length of each header when it compares with a limit (RFC 9113, 6.5.2). */
const OVERHEAD_BYTES = 32;

/**
 * Refuses a block over the front's limit. HTTP/2 itself does so only once the
 * caller has acknowledged the relay's settings, and a link must never see more.
 */
export function checkHeaderBytes(headers: IncomingHttpHeaders): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    bytes += name.length + String(value).length + OVERHEAD_BYTES;
  }
  if (bytes > MAX_FRONT_HEADER_BYTES) {
    throw new CmdopError(
      "LimitExceeded",
      `The call's headers have ${bytes} bytes; ${MAX_FRONT_HEADER_BYTES} are the most.`,
    );
  }
}

/** A header's value where it came exactly once. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

/** Another one with every call: in the link's table of headers each would push out a token or a grant that comes again. */
const NEVER_INDEXED = [HEADERS.call];

/** A caller's headers as they go on: what only the relay may say comes from `added`. */
export function requestHeaders(
  received: IncomingHttpHeaders,
  path: string,
  added: Readonly<Record<string, string>>,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ":method": "POST",
    ":path": path,
    ":scheme": "http",
    ":authority": "cmdop",
    [sensitiveHeaders]: NEVER_INDEXED,
  };
  for (const [name, value] of Object.entries(received)) {
    if (name.startsWith(":") || HOP_HEADERS.has(name)) continue;
    if (name.startsWith(HEADER_PREFIX) && !CALLER_HEADERS.has(name)) continue;
    headers[name] = value;
  }
  return Object.assign(headers, added);
}

/** An answer's headers or trailers as they go back. */
export function responseHeaders(received: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(received).filter(([name]) => !HOP_HEADERS.has(name)));
}
