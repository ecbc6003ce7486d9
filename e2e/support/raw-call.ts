import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { Duplex, Transform } from "node:stream";
import tls from "node:tls";

/** What came back of one call. */
export interface RawAnswer {
  /** Headers and trailers together. */
  readonly trailers: Record<string, string>;
  /** The answer's first message; undefined where there is none. */
  readonly message: Buffer | undefined;
}

/** A connection to a relay's front door, or a machine's local socket, without any of our own client code: no pin, no checks, any header. */
export class RawCaller implements AsyncDisposable {
  readonly session: http2.ClientHttp2Session;

  private constructor(session: http2.ClientHttp2Session) {
    this.session = session;
  }

  /** `lateMs`: what comes is read so much later, as if the line were long. */
  static async connect(address: string, lateMs = 0): Promise<RawCaller> {
    const socket = rawTls(address, ["h2"]);
    await once(socket, "secureConnect");
    return RawCaller.over(lateMs > 0 ? late(socket, lateMs) : socket);
  }

  /** The same to the unix socket of an agent. */
  static async local(socketPath: string, lateMs = 0): Promise<RawCaller> {
    const socket = net.connect(socketPath);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return RawCaller.over(lateMs > 0 ? late(socket, lateMs) : socket);
  }

  /** On any connection: over one that an agent has dialled, its relay is the one that calls. */
  static over(socket: Duplex): RawCaller {
    const session = http2.connect("http://peer", { createConnection: () => socket });
    session.on("error", () => undefined);
    return new RawCaller(session);
  }

  /** Opens a gRPC call and reads nothing of it. */
  open(path: string, headers: http2.OutgoingHttpHeaders, message: Uint8Array): http2.ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
    return stream;
  }

  /** One gRPC call with these headers and this body; its trailers, whichever way they came. */
  async call(path: string, headers: http2.OutgoingHttpHeaders, message: Uint8Array = new Uint8Array()) {
    return (await this.ask(path, headers, message)).trailers;
  }

  /** The same, with what was answered. */
  async ask(
    path: string,
    headers: http2.OutgoingHttpHeaders,
    message: Uint8Array = new Uint8Array(),
  ): Promise<RawAnswer> {
    const stream = this.open(path, headers, message);
    const trailers: Record<string, string> = {};
    const note = (received: http2.IncomingHttpHeaders): void => {
      for (const [name, value] of Object.entries(received)) trailers[name] = String(value);
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("error", (error) => {
      trailers.streamError = error.message;
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await closed(stream);
    const body = Buffer.concat(chunks);
    const answered = body.length < 5 ? undefined : body.subarray(5, 5 + body.readUInt32BE(1));
    return { trailers, message: answered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
  }
}

/** A TLS connection to `host:port` that checks nothing. */
export function rawTls(address: string, alpn: string[]): tls.TLSSocket {
  const colon = address.lastIndexOf(":");
  const socket = tls.connect({
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    ALPNProtocols: alpn,
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  return socket;
}

/** A connection whose other end hears everything at once, and from which everything is heard late. */
function late(socket: Duplex, lateMs: number): Duplex {
  const reading = new Transform({
    transform: (chunk, _encoding, done) => void setTimeout(() => done(null, chunk), lateMs),
  });
  const line = Duplex.from({ readable: socket.pipe(reading), writable: socket });
  return line.once("close", () => socket.destroy());
}

/** Waits for the end of a stream or socket, however it comes about: an error is an end like any other here. */
export function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", () => resolve());
  });
}
