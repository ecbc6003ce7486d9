import type { ClientHttp2Session } from "node:http2";
import { CmdopError, type ErrorCode, HEADERS, isErrorCode } from "@cmdop/proto";

/** Bytes of a gRPC message's prefix: one for compression, four for the length. */
export const PREFIX_BYTES = 5;

/** The largest answer that is read, in bytes: Hello's is a join token and little more. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** An agent has answered, with an error of this code. */
export class AgentRefusal extends CmdopError {}

/** A method as far as a call needs it: the halves of two codecs. */
export interface UnaryMethod<In, Out> {
  readonly path: string;
  readonly serialize: (message: In) => Buffer;
  readonly deserialize: (bytes: Buffer) => Out;
}

/**
 * One unary gRPC call on a link that is not up yet: its agent is a stranger, so
 * its answer is read with bounds and errors of its own. Rejects with AgentRefusal where the agent said no, otherwise with LinkRefused.
 */
export function unaryCall<In, Out>(
  session: ClientHttp2Session,
  { path, serialize, deserialize }: UnaryMethod<In, Out>,
  message: In,
  timeoutMs: number,
): Promise<Out> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = session.request(
      { ":method": "POST", ":path": path, "content-type": "application/grpc+proto", te: "trailers" },
      { endStream: false, signal },
    );
    const chunks: Buffer[] = [];
    let length = 0;
    let status: unknown;
    let detail: unknown;
    let code: ErrorCode | undefined;
    const note = (headers: Record<string, unknown>): void => {
      status = headers["grpc-status"] ?? status;
      detail = headers["grpc-message"] ?? detail;
      const named = headers[HEADERS.error];
      if (typeof named === "string" && isErrorCode(named)) code = named;
    };
    const fail = (why: string, cause?: unknown): void =>
      reject(new CmdopError("LinkRefused", `The agent did not answer ${path}: ${why}.`, { cause }));
    request.once("response", (headers) => {
      note(headers);
      request.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) request.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
    });
    request.once("trailers", note);
    request.on("error", (error) =>
      fail(signal.aborted ? `nothing within ${timeoutMs} ms` : error.message, error),
    );
    request.once("close", () => {
      if (status !== "0" && code !== undefined) {
        return reject(new AgentRefusal(code, `The agent refuses ${path}: ${String(detail)}`));
      }
      if (status !== "0") return fail(`status ${String(status)}, ${String(detail)}`);
      const answer = Buffer.concat(chunks);
      const isOneMessage =
        answer.length >= PREFIX_BYTES && answer.length === PREFIX_BYTES + answer.readUInt32BE(1);
      if (!isOneMessage || answer[0] !== 0) return fail("its message is not framed as one");
      try {
        resolve(deserialize(answer.subarray(PREFIX_BYTES)));
      } catch (thrown) {
        fail("its message can't be read", thrown);
      }
    });
    request.end(framed(serialize(message)));
  });
}

/** A message as gRPC sends it: uncompressed, its length in front. */
export function framed(body: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}
