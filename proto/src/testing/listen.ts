import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { RpcServer } from "../rpc/rpc-server.ts";
import { LANE_WINDOWS } from "../transport/lanes.ts";

/** Serves a unix socket; disposing ends all that is connected. */
export async function listenOn(server: RpcServer, socketPath: string): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    server.accept(socket, LANE_WINDOWS.interactive.toMachine);
  });
  await once(listener.listen(socketPath), "listening");
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}
