import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { CALLER_HEADERS, HEADER_PREFIX } from "@cmdop/proto";

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

/** A header's value where it came exactly once. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

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
