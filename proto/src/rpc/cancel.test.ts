import { once } from "node:events";
import { connect, constants } from "node:http2";
import { createServer, type Socket } from "node:net";
import { setDefaultHighWaterMark } from "node:stream";
import { expect, it, onTestFinished } from "vitest";
import { Jobs } from "../gen/cmdop/v1/jobs_pb.ts";
import { alternatingBuffers } from "../read-ahead.ts";
import { portOf } from "../testing/loopback.ts";
import { failure, started, unused as unusedStream } from "../testing/services.ts";
import { LANE_WINDOWS } from "../transport/lanes.ts";
import { codec } from "./codec.ts";
import { RpcServer } from "./rpc-server.ts";
import { serve } from "./server.ts";

it.each([0, 1, 2, 3, 4, 5])("an abort %i turns after the call began ends it", async (turns) => {
  await using client = await started({ list: () => new Promise(() => undefined) });
  const controller = new AbortController();
  const outcome = failure(client.jobs.list({}, { signal: controller.signal }));
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
  controller.abort();
  expect((await outcome).code).toBe("Canceled");
});

it("a whole request that is reset before its end is not carried out", async () => {
  const ran: string[] = [];
  const server = new RpcServer();
  const unused = async () => ({});
  serve(server, Jobs, async () => ({ caller: null }), {
    async cancel({ jobId }) {
      ran.push(jobId);
      return {};
    },
    signal: unused,
    list: unused,
    attach: unusedStream,
    input: unusedStream,
  });
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    sockets.push(socket);
    server.accept(socket, LANE_WINDOWS.interactive.toMachine);
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const session = connect(`http://127.0.0.1:${portOf(listener)}`);
  onTestFinished(() => {
    session.destroy();
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const headers = { ":method": "POST", ":path": "/cmdop.v1.Jobs/Cancel", "content-type": "application/grpc" };
  const { frame } = codec(Jobs.method.cancel.input);
  const taken = session.request(headers, { endStream: false }).on("error", () => undefined);
  taken.write(Buffer.concat(frame({ jobId: "taken back" })));
  await new Promise((resolve) => session.ping(resolve));
  taken.close(constants.NGHTTP2_CANCEL);
  // What comes after it on the same connection has been answered: so has this been looked at.
  const meant = session.request(headers).on("error", () => undefined);
  meant.end(Buffer.concat(frame({ jobId: "meant" })));
  meant.resume();
  await once(meant, "close");
  expect(ran).toEqual(["meant"]);
});

it("content that is not copied arrives as it was, however much streams buffer", async () => {
  const MARK = 4 * 1024 * 1024;
  setDefaultHighWaterMark(false, MARK);
  onTestFinished(() => setDefaultHighWaterMark(false, 64 * 1024));
  const PIECES = 200;
  await using client = await started(
    {},
    {
      async *readStream() {
        const room = alternatingBuffers();
        for (let piece = 0; piece < PIECES; piece++) yield { data: room(100_000).fill(piece) };
      },
    },
  );
  let piece = 0;
  for await (const { data } of client.files.readStream({})) {
    expect(Buffer.compare(data, Buffer.alloc(100_000, piece))).toBe(0);
    piece += 1;
  }
  expect(piece).toBe(PIECES);
});
