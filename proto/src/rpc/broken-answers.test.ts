import { once } from "node:events";
import { connect, constants, type ServerHttp2Stream } from "node:http2";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { Files } from "../gen/cmdop/v1/files_pb.ts";
import { Jobs } from "../gen/cmdop/v1/jobs_pb.ts";
import { http2Loopback, portOf } from "../testing/loopback.ts";
import { collected, failure, repeated } from "../testing/services.ts";
import { DrainingDuplex } from "../transport/draining-duplex.ts";
import { mayHaveRun } from "./broken-call.ts";
import { sessionChannel } from "./channel.ts";
import { createClient } from "./client.ts";
import { responseHeaders } from "./headers.ts";

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const END_HEADERS = 4;
const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;

/** `:status: 200`, as HPACK's static table has it. */
const STATUS_200 = Buffer.of(0x88);

const CALM = codeOf(constants.NGHTTP2_ENHANCE_YOUR_CALM);

function frame(type: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(type === HEADERS ? END_HEADERS : 0, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** An error code as frames carry it. */
function codeOf(code: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(code);
  return bytes;
}

/** A peer that answers in its own way, and clients of it. */
async function peer(answer: (stream: ServerHttp2Stream) => void) {
  const arrived = Promise.withResolvers<ServerHttp2Stream>();
  const loopback = await http2Loopback((stream) => {
    stream.on("error", () => undefined);
    arrived.resolve(stream);
    answer(stream);
  });
  return {
    arrived: arrived.promise,
    jobs: createClient(Jobs, () => loopback.channel),
    files: createClient(Files, () => loopback.channel),
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
}

it.each(["one answer", "a stream of answers"])(
  "%s that ends without a status ends the call, though its requests go on",
  async (kind) => {
    await using client = await peer((stream) => {
      stream.resume();
      stream.respond(responseHeaders());
      stream.end();
    });
    const requests = repeated({});
    const call =
      kind === "one answer" ? client.files.writeStream(requests) : collected(client.jobs.input(requests));
    expect((await failure(call)).code).toBe("LinkLost");
    const stream = await client.arrived;
    if (!stream.closed) await once(stream, "close");
  },
);

it("what the listener for headers throws is what its caller gets, and the peer's stream ends", async () => {
  await using client = await peer((stream) => stream.resume().respond(responseHeaders()));
  const onHeaders = (): never => {
    throw new RangeError("the listener broke");
  };
  await expect(client.jobs.list({}, { onHeaders })).rejects.toThrow(new RangeError("the listener broke"));
  const stream = await client.arrived;
  if (!stream.closed) await once(stream, "close");
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
});

/** A peer that answers each stream with frames by hand, all of them at once; which streams it saw. */
async function framePeer(answer: (stream: number) => Buffer) {
  const streams: number[] = [];
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.write(frame(SETTINGS, 0));
    let received = Buffer.alloc(0);
    let skip = PREFACE_BYTES;
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= skip + FRAME_HEADER_BYTES) {
        const bytes = FRAME_HEADER_BYTES + received.readUIntBE(skip, 3);
        if (received.length < skip + bytes) return;
        const [type, stream] = [received.readUInt8(skip + 3), received.readUInt32BE(skip + 5)];
        received = received.subarray(skip + bytes);
        skip = 0;
        if (type !== HEADERS) continue;
        streams.push(stream);
        socket.write(answer(stream));
      }
    });
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  // Below a duplex of ours, as callers have one, what comes at once is seen at once.
  const socket = connectTcp(portOf(listener), "127.0.0.1").on("error", () => undefined);
  const duplex = new DrainingDuplex(socket);
  const session = connect("http://peer", { createConnection: () => duplex }).on("error", () => undefined);
  return {
    streams,
    jobs: createClient(Jobs, () => sessionChannel(session)),
    async [Symbol.asyncDispose]() {
      session.destroy();
      socket.destroy();
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

it.each([
  ["before any answer is opened again", [], "LinkLost", 3],
  ["after its answer began is not", [STATUS_200], "LinkLost", 1],
])("a call that is refused %s", async (_when, begun, code, openings) => {
  await using client = await framePeer((stream) =>
    Buffer.concat([
      ...begun.map((block) => frame(HEADERS, stream, block)),
      frame(RST_STREAM, stream, codeOf(constants.NGHTTP2_REFUSED_STREAM)),
    ]),
  );
  expect((await failure(client.jobs.list({}))).code).toBe(code);
  expect(client.streams).toHaveLength(openings);
});

it.each([
  ["its own", (stream: number) => frame(RST_STREAM, stream, CALM), "LimitExceeded"],
  ["the whole connection's", () => frame(GOAWAY, 0, Buffer.concat([Buffer.alloc(4), CALM])), "LinkLost"],
])("ENHANCE_YOUR_CALM as %s end", async (_whose, answer, code) => {
  await using client = await framePeer(answer);
  const error = await failure(client.jobs.list({}));
  expect(error.code).toBe(code);
  expect(mayHaveRun(error)).toBe(true);
});
