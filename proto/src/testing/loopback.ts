import { once } from "node:events";
import { connect, createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { type RpcChannel, sessionChannel } from "../rpc/channel.ts";
import type { RpcServer } from "../rpc/rpc-server.ts";
import { LANE_WINDOWS } from "../transport/lanes.ts";

/** A channel to something that listens on loopback; disposing ends both. */
export interface Loopback extends AsyncDisposable {
  readonly channel: RpcChannel;
  readonly port: number;
}

/** Serves a free port and connects a channel to it. */
export async function rpcLoopback(server: RpcServer): Promise<Loopback> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    server.accept(socket, LANE_WINDOWS.interactive.toMachine);
  });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  return loopback(portOf(listener), async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
}

/** A plain HTTP/2 server that answers every stream in its own way, and a channel to it. */
export async function http2Loopback(answer: (stream: ServerHttp2Stream) => void): Promise<Loopback> {
  const server = createHttp2Server();
  server.on("stream", answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return loopback(portOf(server), async () => {
    server.close();
  });
}

/** The port of a listening server. */
export function portOf(server: Pick<NetServer, "address">): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new TypeError("not listening on TCP");
  return address.port;
}

function loopback(port: number, stop: () => Promise<void>): Loopback {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  return {
    channel: sessionChannel(session),
    port,
    async [Symbol.asyncDispose]() {
      session.destroy();
      await stop();
    },
  };
}
