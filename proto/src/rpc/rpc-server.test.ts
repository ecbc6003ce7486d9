import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { LANE_WINDOWS, LANES, type LaneName } from "../transport/lanes.ts";
import { RpcServer } from "./rpc-server.ts";

/** More cancels than Node's own limit of 1,000 lets through. */
const CANCELS = 3_000;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A real TCP connection with our server on one end and a plain HTTP/2 client on the other. */
async function connect(lane: LaneName): Promise<{
  client: http2.ClientHttp2Session;
  server: RpcServer;
  session: http2.ServerHttp2Session;
}> {
  const server = new RpcServer();
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const accepted = once(listener, "connection");
  const client = http2.connect(`http://127.0.0.1:${address.port}`);
  const [socket] = await accepted;
  const session = server.accept(socket, LANE_WINDOWS[lane].toMachine);
  await once(client, "remoteSettings");
  cleanups.push(() => {
    client.destroy();
    server.close();
    socket.destroy();
    listener.close();
  });
  return { client, server, session };
}

describe("a server on a connection that exists already", () => {
  it.each(LANES)("promise 9: the %s lane has its named windows", async (lane) => {
    const { client, session } = await connect(lane);
    expect(client.remoteSettings.initialWindowSize).toBe(LANE_WINDOWS[lane].toMachine.stream);
    expect(session.state.effectiveLocalWindowSize).toBe(LANE_WINDOWS[lane].toMachine.session);
  });

  it(`survives ${CANCELS} cancelled streams on one connection`, async () => {
    const { client, server } = await connect("interactive");
    // A method that never answers: its stream is what must live through the cancels.
    server.register("/x/Hang", (stream) => stream.on("error", () => undefined));
    const open = (): http2.ClientHttp2Stream =>
      client.request({
        ":method": "POST",
        ":path": "/x/Hang",
        "content-type": "application/grpc",
        te: "trailers",
      });
    const survivor = open();
    survivor.on("error", () => undefined);
    for (let done = 0; done < CANCELS; done += 100) {
      const batch = Array.from({ length: 100 }, open);
      const closed = Promise.all(batch.map((stream) => once(stream, "close")));
      for (const stream of batch) stream.close(http2.constants.NGHTTP2_CANCEL);
      await closed;
      await new Promise((resolve) => client.ping(resolve));
    }
    expect(client.closed || client.destroyed || survivor.destroyed).toBe(false);
  });
});
