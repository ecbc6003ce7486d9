import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";

/** A call by hand. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string>,
): ClientHttp2Stream {
  const stream = session.request(
    { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers },
    { endStream: false },
  );
  stream.on("error", () => undefined);
  return stream;
}

/** What came back, when the stream is closed. */
export interface RawAnswer {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  bytes: number;
  rstCode: number | undefined;
}

/** Reads a call to its end. */
export function rawAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  const answer: RawAnswer = { headers: {}, trailers: {}, bytes: 0, rstCode: undefined };
  stream.on("response", (headers) => {
    answer.headers = headers;
  });
  stream.on("trailers", (trailers) => {
    answer.trailers = trailers;
  });
  stream.on("data", (chunk: Buffer) => {
    answer.bytes += chunk.length;
  });
  return new Promise((resolve) =>
    stream.once("close", () => resolve({ ...answer, rstCode: stream.rstCode })),
  );
}

/** The cmdop error that an answer carries, or its status. */
export function errorOf({ headers, trailers }: RawAnswer): string {
  const said = { ...headers, ...trailers };
  return String(said["x-cmdop-error"] ?? `status ${said["grpc-status"]}`);
}
