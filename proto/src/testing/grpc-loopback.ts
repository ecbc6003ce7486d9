import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import type { Server as NetServer } from "node:net";
import { Client, credentials, type Server, ServerCredentials } from "@grpc/grpc-js";

/** A grpc-js client of something that listens on loopback; disposing ends both. */
export interface Loopback extends AsyncDisposable {
  readonly channel: Client;
  readonly port: number;
}

/** Binds a grpc-js server to a free port and connects a client to it. */
export async function grpcLoopback(server: Server): Promise<Loopback> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return loopback(port, async () => server.forceShutdown());
}

/** A plain HTTP/2 server that answers every stream in its own way, and a grpc-js client of it. */
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
  const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return {
    channel,
    port,
    async [Symbol.asyncDispose]() {
      channel.close();
      await stop();
    },
  };
}
