import type { ClientHttp2Session } from "node:http2";
import { CmdopError, HEADERS, isErrorCode } from "@cmdop/proto";
import { framed, PREFIX_BYTES, type UnaryMethod } from "./unary-call.ts";

/** The largest message that is read, in bytes: a batch of audit records, the last of which may be a long one, and its head. */
const MAX_MESSAGE_BYTES = 512 * 1024;

/**
 * One call with a response stream on an HTTP/2 client session, as unaryCall
 * makes one without. Messages are read as fast as they are asked for: what is
 * not read waits at the agent, behind HTTP/2's windows. Throws the error that
 * the agent sends, LinkLost where it sends none, and ends quietly on the signal.
 */
export async function* streamingCall<In, Out>(
  session: ClientHttp2Session,
  { path, serialize, deserialize }: UnaryMethod<In, Out>,
  message: In,
  signal: AbortSignal,
): AsyncGenerator<Out> {
  const request = session.request(
    { ":method": "POST", ":path": path, "content-type": "application/grpc+proto", te: "trailers" },
    { endStream: false, signal },
  );
  const said: Record<string, unknown> = {};
  // An error ends the iteration below; one that comes after it says nothing new.
  request.on("error", () => undefined);
  request.on("response", (headers) => Object.assign(said, headers));
  request.on("trailers", (trailers) => Object.assign(said, trailers));
  request.end(framed(serialize(message)));
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of request) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= PREFIX_BYTES) {
        const length = rest.readUInt32BE(1);
        if (rest[0] !== 0 || length > MAX_MESSAGE_BYTES) {
          throw refused(path, `its message is compressed, or longer than ${MAX_MESSAGE_BYTES} bytes`);
        }
        if (rest.length < PREFIX_BYTES + length) break;
        const body = rest.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
        rest = rest.subarray(PREFIX_BYTES + length);
        yield read(path, deserialize, body);
      }
    }
  } catch (thrown) {
    if (signal.aborted) return;
    if (thrown instanceof CmdopError) throw thrown;
    throw new CmdopError("LinkLost", `The agent broke ${path} off: ${String(thrown)}.`, { cause: thrown });
  } finally {
    request.destroy();
  }
  if (signal.aborted || said["grpc-status"] === "0") return;
  const code = said[HEADERS.error];
  const isNamed = typeof code === "string" && isErrorCode(code);
  // 12: UNIMPLEMENTED, from an agent that does not know the method at all.
  const bare = said["grpc-status"] === "12" ? "Unimplemented" : "LinkLost";
  throw new CmdopError(
    isNamed ? code : bare,
    `The agent ended ${path} with status ${String(said["grpc-status"])}, ${String(said["grpc-message"])}.`,
  );
}

function read<Out>(path: string, deserialize: (bytes: Buffer) => Out, body: Buffer): Out {
  try {
    return deserialize(body);
  } catch (thrown) {
    throw refused(path, "its message can't be read", thrown);
  }
}

function refused(path: string, why: string, cause?: unknown): CmdopError {
  return new CmdopError("LinkRefused", `The agent's answer to ${path} is refused: ${why}.`, { cause });
}
