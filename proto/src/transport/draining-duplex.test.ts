import { once } from "node:events";
import { connect, performServerHandshake } from "node:http2";
import { connect as connectTcp, createServer } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, it } from "vitest";
import { portOf } from "../testing/loopback.ts";
import { DrainingDuplex, MAX_UNSENT_BYTES, WRITE_OVERHEAD_BYTES } from "./draining-duplex.ts";

const MiB = 1024 * 1024;

async function countBytes(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

/** What is read from a connection until it is gone: it has no end before that. */
async function countUntilClosed(connection: DrainingDuplex): Promise<number> {
  let bytes = 0;
  connection.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
  });
  await once(connection, "close");
  return bytes;
}

function* megabytes(bytes: number): Generator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += MiB) yield new Uint8Array(MiB);
}

/** Everything that was ready to happen has happened: nothing in these tests waits for the outside. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("DrainingDuplex", () => {
  it("acknowledges no more than its bound to a peer that never reads, and goes on when it does", async () => {
    const [socket, peer] = duplexPair();
    const draining = new DrainingDuplex(socket);
    let acknowledged = 0;
    for (const chunk of megabytes(4 * MiB)) {
      draining.write(chunk, () => {
        acknowledged += chunk.length;
      });
      await settled();
    }
    expect(acknowledged).toBeGreaterThanOrEqual(MAX_UNSENT_BYTES - MiB);
    expect(acknowledged).toBeLessThanOrEqual(MAX_UNSENT_BYTES + MiB);
    expect(socket.writableLength).toBeLessThanOrEqual(MAX_UNSENT_BYTES + MiB);
    draining.end();
    expect(await countBytes(peer)).toBe(4 * MiB);
    expect(acknowledged).toBe(4 * MiB);
    expect(draining.unsentBytes).toBe(0);
  });

  it("counts what each write costs beside its bytes", async () => {
    const [socket] = duplexPair();
    const draining = new DrainingDuplex(socket);
    let acknowledged = 0;
    const writes = 10_000;
    for (let count = 0; count < writes; count += 1) {
      draining.write(new Uint8Array(17), () => {
        acknowledged += 1;
      });
      if (count % 100 === 0) await settled();
    }
    await settled();
    expect(acknowledged).toBeLessThan(writes);
    expect(socket.writableLength).toBeLessThanOrEqual((17 * MAX_UNSENT_BYTES) / WRITE_OVERHEAD_BYTES);
    draining.destroy();
  });

  it("stops reading from the socket while nobody reads from it", async () => {
    const [socket, peer] = duplexPair();
    const draining = new DrainingDuplex(socket);
    let taken = 0;
    for (const chunk of megabytes(16 * MiB)) {
      peer.write(chunk, () => {
        taken += chunk.length;
      });
      await settled();
    }
    expect(taken).toBeLessThan(4 * MiB);
    peer.end();
    expect(await countUntilClosed(draining)).toBe(16 * MiB);
  });

  it("passes the peer's last bytes on, though the connection has closed before they were read", async () => {
    const listener = createServer((socket) => socket.end(new Uint8Array(10_000)));
    await once(listener.listen(0, "127.0.0.1"), "listening");
    const socket = connectTcp({ port: portOf(listener), host: "127.0.0.1" });
    const draining = new DrainingDuplex(socket);
    await once(socket, "close");
    expect(await countUntilClosed(draining)).toBe(10_000);
    listener.close();
  });

  it("ends both ends when either is destroyed, whatever waits", async () => {
    const [socket] = duplexPair();
    const draining = new DrainingDuplex(socket);
    const failed = new Promise<unknown>((resolve) => {
      draining.write(new Uint8Array(MAX_UNSENT_BYTES + MiB));
      draining.write(new Uint8Array(1), resolve);
    });
    draining.on("error", () => undefined);
    socket.destroy(new Error("reset"));
    expect(await failed).toBeInstanceOf(Error);
    expect(draining.destroyed).toBe(true);

    const [other] = duplexPair();
    new DrainingDuplex(other).destroy();
    await once(other, "close");
  });

  it("promise 9: a peer that ends its side while we write can't bring down the process", async () => {
    const [near, far] = duplexPair();
    // A line that is slow to end: its last bytes have not been taken yet.
    far._final = () => undefined;
    const server = performServerHandshake(new DrainingDuplex(far));
    const client = connect("http://peer", { createConnection: () => near });
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    process.on("uncaughtException", note);
    client.on("error", note);
    server.on("error", () => undefined);
    const arrived = once(server, "stream");
    client.request({ ":method": "POST", ":path": "/" }).on("error", () => undefined);
    const [stream] = await arrived;
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 });
    stream.write("before");
    await settled();
    near.end();
    await settled();
    stream.write("behind");
    await settled();
    far.destroy();
    await settled();
    process.off("uncaughtException", note);
    expect(failures).toEqual([]);
    client.destroy();
  });
});
