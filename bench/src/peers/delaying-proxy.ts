import { once } from "node:events";
import net from "node:net";

/** Held for one direction of one connection: above it the sender has to wait, as a line with so much under way makes it. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** A TCP proxy that holds everything for half of a round trip on its way in each direction. */
export interface DelayingProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Starts one before `host:port`. */
export async function startDelayingProxy(target: string, roundTripMs: number): Promise<DelayingProxy> {
  const colon = target.lastIndexOf(":");
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      sockets.add(from);
      from.on("error", () => from.destroy());
      from.on("close", () => sockets.delete(from));
      delayed(from, to, roundTripMs / 2);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return {
    host: "127.0.0.1",
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function delayed(from: net.Socket, to: net.Socket, delayMs: number): void {
  let held = 0;
  from.on("data", (chunk: Buffer) => {
    held += chunk.length;
    if (held > MAX_HELD_BYTES) from.pause();
    setTimeout(() => {
      held -= chunk.length;
      if (held <= MAX_HELD_BYTES) from.resume();
      if (!to.destroyed) to.write(chunk);
    }, delayMs);
  });
  from.on("close", () => setTimeout(() => to.destroySoon(), delayMs));
}
