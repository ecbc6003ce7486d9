import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A wire between somebody and the relay. */
export interface TcpProxy {
  /** A connection to the relay over this wire. */
  socket(): Promise<Socket>;
  /** Drops all bytes from now on and closes nothing, as when a cable is cut. */
  freeze(): void;
  /** Takes no more bytes, as a peer that does not read. */
  pause(): void;
  /** Takes bytes again. */
  resume(): void;
  close(): void;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const pairs: Socket[] = [];
  let frozen = false;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.push(from);
      from.on("data", (chunk) => {
        if (!frozen) to.write(chunk);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        if (!frozen) to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return {
    socket: async () => {
      const socket = connect(address.port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    freeze: () => {
      frozen = true;
    },
    pause: () => {
      for (const socket of pairs) socket.pause();
    },
    resume: () => {
      for (const socket of pairs) socket.resume();
    },
    close: () => {
      server.close();
      for (const socket of pairs) socket.destroy();
    },
  };
}
