import { once } from "node:events";
import {
  AGENT_ALPN,
  codec,
  connectToRelay,
  type KeyPair,
  Lane,
  LINK_EXPORTER,
  Link,
  type RelayTarget,
  signHello,
} from "@cmdop/proto";
import { frame as grpcFrame } from "./fake-agent.ts";

const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;

/**
 * A machine that has joined and then writes HTTP/2 frames by hand: what no
 * library would send. Every call is answered with the header block, and with the trailers where there are any.
 */
export async function dialHostileAgent(options: {
  relay: RelayTarget;
  machineKey: KeyPair;
  joinToken: string;
  bootId: string;
  answer: Buffer;
  trailers: Buffer | undefined;
}): Promise<() => void> {
  const { relay, machineKey, joinToken, bootId, answer, trailers } = options;
  const tls = await connectToRelay({ relay, alpn: AGENT_ALPN });
  tls.on("error", () => undefined);
  const welcomed = Promise.withResolvers<void>();
  const { hello, welcome } = Link.method;
  const exporter = tls.exportKeyingMaterial(LINK_EXPORTER.length, LINK_EXPORTER.label, Buffer.alloc(0));
  const bodies = new Map<number, Buffer>();
  const respond = (stream: number, message: Buffer): void => {
    tls.write(http2Frame(HEADERS, END_HEADERS, stream, literal(":status", "200")));
    tls.write(http2Frame(DATA, 0, stream, grpcFrame(message)));
    tls.write(http2Frame(HEADERS, END_HEADERS | END_STREAM, stream, literal("grpc-status", "0")));
  };
  const ended = (stream: number): void => {
    const body = (bodies.get(stream) ?? Buffer.alloc(0)).subarray(5);
    if (stream === 1) {
      const transcript = {
        nonce: codec(hello.input).deserialize(body).nonce,
        exporter,
        bootId,
        lane: Lane.INTERACTIVE,
      };
      const signature = signHello(transcript, machineKey);
      const publicKey = Buffer.from(machineKey.publicKey, "base64url");
      respond(
        stream,
        codec(hello.output).serialize({
          machineKey: publicKey,
          joinToken,
          bootId,
          lane: Lane.INTERACTIVE,
          signature,
        }),
      );
    } else if (stream === 3) {
      respond(stream, codec(welcome.output).serialize({}));
      welcomed.resolve();
    } else if (stream === 5) {
      // The relay asks for its audit chain: the answer is for its calls.
    } else if (trailers === undefined) {
      tls.write(http2Frame(HEADERS, END_HEADERS | END_STREAM, stream, answer));
    } else {
      tls.write(http2Frame(HEADERS, END_HEADERS, stream, answer));
      tls.write(http2Frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers));
    }
  };

  tls.write(http2Frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  let received = Buffer.alloc(0);
  let skipped = false;
  tls.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (!skipped && received.length >= PREFACE_BYTES) {
      received = received.subarray(PREFACE_BYTES);
      skipped = true;
    }
    while (skipped && received.length >= FRAME_HEADER_BYTES) {
      const length = received.readUIntBE(0, 3);
      if (received.length < FRAME_HEADER_BYTES + length) return;
      const [type, flags, stream] = [received.readUInt8(3), received.readUInt8(4), received.readUInt32BE(5)];
      const payload = received.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
      received = received.subarray(FRAME_HEADER_BYTES + length);
      if (type === SETTINGS && (flags & ACK) === 0) tls.write(http2Frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
      if (type === DATA) bodies.set(stream, Buffer.concat([bodies.get(stream) ?? Buffer.alloc(0), payload]));
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) ended(stream);
    }
  });
  await Promise.race([welcomed.promise, once(tls, "close")]);
  return () => tls.destroy();
}

/** One header as HPACK's "literal without indexing, new name". */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.of(0, name.length),
    Buffer.from(name),
    Buffer.of(value.length),
    Buffer.from(value),
  ]);
}

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
