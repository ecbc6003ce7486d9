import type { OutgoingHttpHeaders } from "node:http2";
import { CmdopError } from "../errors/cmdop-error.ts";

const CONTENT_TYPE = "application/grpc+proto";

/** The headers of a request. Throws InvalidArgument for what HTTP can't carry. */
export function requestHeaders(path: string, own: Readonly<Record<string, string>>): OutgoingHttpHeaders {
  for (const [name, value] of Object.entries(own)) {
    if (/^[ -~]*$/.test(value)) continue;
    throw new CmdopError("InvalidArgument", `The value for ${name} has characters that no header can carry.`);
  }
  return { ":method": "POST", ":path": path, "content-type": CONTENT_TYPE, te: "trailers", ...own };
}

/** The headers of an answer. */
export function responseHeaders(more: Readonly<Record<string, string>> = {}): OutgoingHttpHeaders {
  return { ":status": 200, "content-type": CONTENT_TYPE, ...more };
}

/** Whether a request says that it is gRPC. */
export function isGrpc(headers: Readonly<Record<string, unknown>>): boolean {
  const type = headers["content-type"];
  return typeof type === "string" && /^application\/grpc($|[+;])/.test(type);
}

/** A header's value, the first where there are several. */
export function headerIn(headers: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = headers[name];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" ? first : undefined;
}
