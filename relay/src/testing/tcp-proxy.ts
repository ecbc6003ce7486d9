import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy whose connections can fall silent without being closed, as when a cable is cut. */
export async function startTcpProxy(
  port: number,
): Promise<{ socket: () => Promise<Socket>; freeze: () => void; close: () => void }> {
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
    close: () => {
      server.close();
      for (const socket of pairs) socket.destroy();
    },
  };
}
