import { once } from "node:events";
import { connect } from "node:http2";
import { createServer, type Socket } from "node:net";
import { Client, credentials, Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import { Files } from "../gen/cmdop/v1/files_pb.ts";
import { portOf } from "../testing/loopback.ts";
import { admitAnyone, collected, unused } from "../testing/services.ts";
import { LANE_WINDOWS } from "../transport/lanes.ts";
import { sessionChannel } from "./channel.ts";
import { createClient } from "./client.ts";
import { codec } from "./codec.ts";
import { RpcServer } from "./rpc-server.ts";
import { serve } from "./server.ts";

const READ = "/cmdop.v1.Files/Read";
const READ_STREAM = "/cmdop.v1.Files/ReadStream";
const WRITE_STREAM = "/cmdop.v1.Files/WriteStream";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const rest = {
  list: unused,
  walk: unused,
  search: unused,
  write: unused,
  append: unused,
  edit: unused,
  delete: unused,
  copy: unused,
  move: unused,
  mkdir: unused,
  info: unused,
  partial: unused,
  symlink: unused,
};

describe("a grpc-js client of our server", () => {
  async function client(): Promise<Client> {
    const server = new RpcServer();
    serve(server, Files, admitAnyone, {
      ...rest,
      async read({ path, length }) {
        if (path === "/none") throw new CmdopError("NotFound", "There is no /none: 100 %.");
        return { content: Buffer.alloc(Number(length), path), size: 7n };
      },
      async *readStream({ length }) {
        for (let piece = 0; piece < 3; piece++) yield { data: Buffer.alloc(Number(length), piece) };
      },
      async writeStream(requests) {
        let size = 0;
        for await (const { data } of requests) size += data.length;
        return { entry: { size: BigInt(size) } };
      },
    });
    const sockets = new Set<Socket>();
    const listener = createServer((socket) => {
      sockets.add(socket);
      server.accept(socket, LANE_WINDOWS.upload.toMachine);
    });
    await once(listener.listen(0, "127.0.0.1"), "listening");
    const channel = new Client(`127.0.0.1:${portOf(listener)}`, credentials.createInsecure());
    cleanups.push(() => {
      channel.close();
      server.close();
      for (const socket of sockets) socket.destroy();
      listener.close();
    });
    return channel;
  }

  it.each([1, 100, 1024 * 1024])("unary: an answer of %i bytes", async (length) => {
    const channel = await client();
    const { serialize } = codec(Files.method.read.input);
    const { deserialize } = codec(Files.method.read.output);
    const answer = await new Promise((resolve, reject) =>
      channel.makeUnaryRequest(
        READ,
        serialize,
        deserialize,
        { path: "x", length: BigInt(length) },
        new Metadata(),
        (error, value) => (error ? reject(error) : resolve(value)),
      ),
    );
    expect(answer).toMatchObject({ content: Buffer.alloc(length, "x"), size: 7n });
  });

  it("unary: an error has status, message and our trailers", async () => {
    const channel = await client();
    const { serialize } = codec(Files.method.read.input);
    const { deserialize } = codec(Files.method.read.output);
    const failure = await new Promise((resolve) =>
      channel.makeUnaryRequest(READ, serialize, deserialize, { path: "/none" }, resolve),
    );
    expect(failure).toMatchObject({ code: status.NOT_FOUND, details: "There is no /none: 100 %." });
  });

  it.each([100, 512 * 1024])("response stream: pieces of %i bytes", async (length) => {
    const channel = await client();
    const { serialize } = codec(Files.method.readStream.input);
    const { deserialize } = codec(Files.method.readStream.output);
    const call = channel.makeServerStreamRequest(READ_STREAM, serialize, deserialize, {
      length: BigInt(length),
    });
    const pieces: unknown[] = [];
    for await (const { data } of call) pieces.push(data);
    expect(pieces).toEqual([0, 1, 2].map((piece) => Buffer.alloc(length, piece)));
  });

  it("request stream: all of it arrives", async () => {
    const channel = await client();
    const { serialize } = codec(Files.method.writeStream.input);
    const { deserialize } = codec(Files.method.writeStream.output);
    const answer = await new Promise((resolve, reject) => {
      const call = channel.makeClientStreamRequest(WRITE_STREAM, serialize, deserialize, (error, value) =>
        error ? reject(error) : resolve(value),
      );
      for (let piece = 0; piece < 8; piece++) call.write({ data: Buffer.alloc(300_000) });
      call.end();
    });
    expect(answer).toMatchObject({ entry: { size: 2_400_000n } });
  });

  it("a method that is not served is unimplemented", async () => {
    const channel = await client();
    const failure = await new Promise((resolve) =>
      channel.makeUnaryRequest("/cmdop.v1.Files/None", Buffer.from, Buffer.from, "", resolve),
    );
    expect(failure).toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe("our client of a grpc-js server", () => {
  async function files() {
    const server = new Server({ "grpc.max_receive_message_length": -1 });
    const { read, readStream } = Files.method;
    server.register(
      READ,
      (
        call: { request: { path: string } },
        reply: (error: object | null, value?: { content: Buffer; size: bigint }) => void,
      ) => {
        if (call.request.path === "/none")
          reply({ code: status.NOT_FOUND, details: "There is no /none: 100 %." });
        else reply(null, { content: Buffer.alloc(1024 * 1024, call.request.path), size: 7n });
      },
      codec(read.output).serialize,
      codec(read.input).deserialize,
      "unary",
    );
    server.register(
      READ_STREAM,
      (call: { write(message: object): void; end(): void }) => {
        for (let piece = 0; piece < 3; piece++) call.write({ data: Buffer.alloc(300_000, piece) });
        call.end();
      },
      codec(readStream.output).serialize,
      codec(readStream.input).deserialize,
      "serverStream",
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    const session = connect(`http://127.0.0.1:${port}`);
    cleanups.push(() => {
      session.destroy();
      server.forceShutdown();
    });
    return createClient(Files, () => sessionChannel(session));
  }

  it("unary and streams arrive whole", async () => {
    const client = await files();
    const { content, size } = await client.read({ path: "y" });
    expect([Buffer.compare(content, Buffer.alloc(1024 * 1024, "y")), size]).toEqual([0, 7n]);
    const pieces = await collected(client.readStream({}));
    expect(pieces.map(({ data }) => [data.length, data[0]])).toEqual([
      [300_000, 0],
      [300_000, 1],
      [300_000, 2],
    ]);
  });

  it("an error has code and message", async () => {
    const client = await files();
    await expect(client.read({ path: "/none" })).rejects.toMatchObject({
      code: "NotFound",
      message: "There is no /none: 100 %.",
    });
  });
});
