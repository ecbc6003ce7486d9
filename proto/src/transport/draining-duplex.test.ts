import { once } from "node:events";
import { connect, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { Duplex, duplexPair } from "node:stream";
import { describe, expect, it } from "vitest";
import { tlsPair } from "../testing/tls-pair.ts";
import { DrainingDuplex, MAX_UNSENT_BYTES } from "./draining-duplex.ts";

const MiB = 1024 * 1024;

/** What one peer sends to the other while the other does the same. */
const EACH_WAY_BYTES = 64 * MiB;

/** Far more than the kernel's buffers take: with plain sockets on both ends, everything stops for good. */
const WINDOW_BYTES = 16 * MiB;

async function countBytes(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

function* megabytes(bytes: number): Generator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += MiB) yield new Uint8Array(MiB);
}

describe("DrainingDuplex", () => {
  it("HTTP/2 with full windows in both directions does not deadlock (defect A), one draining end being enough", async () => {
    await using pair = await tlsPair();
    const settings = { initialWindowSize: WINDOW_BYTES };
    const server = performServerHandshake(process.env["PLAIN"] ? pair.far : new DrainingDuplex(pair.far), { settings });
    const client = connect("http://peer", { createConnection: () => pair.near, settings });
    server.on("connect", () => server.setLocalWindowSize(WINDOW_BYTES));
    server.setLocalWindowSize(WINDOW_BYTES);
    await once(client, "remoteSettings");
    client.setLocalWindowSize(WINDOW_BYTES);

    const uploaded: Promise<number>[] = [];
    server.on("stream", (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200 });
      uploaded.push(countBytes(stream));
      Duplex.from(megabytes(EACH_WAY_BYTES)).pipe(stream);
    });
    const streams = Array.from({ length: 4 }, () => client.request({ ":method": "POST", ":path": "/" }));
    const downloaded = streams.map((stream) => {
      Duplex.from(megabytes(EACH_WAY_BYTES)).pipe(stream);
      return countBytes(stream);
    });
    expect(await Promise.all(downloaded)).toEqual(streams.map(() => EACH_WAY_BYTES));
    expect(await Promise.all(uploaded)).toEqual(streams.map(() => EACH_WAY_BYTES));
    client.destroy();
    server.destroy();
  });
});
