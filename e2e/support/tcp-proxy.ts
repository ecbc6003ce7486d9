import { once } from "node:events";
import net from "node:net";

/** A TCP proxy that a test can cut, stall, or set to cut after a number of bytes. */
export interface TcpProxy extends AsyncDisposable {
  /** `host:port` to connect to. */
  readonly address: string;
  /** Ends every connection at once, as a broken line does. */
  cut(): void;
  /** From now on swallows everything in both directions, as a line whose far end has gone silently. */
  stall(): void;
  /** Ends each new connection after this many bytes from the caller; undefined lifts it. */
  cutAfterBytes: number | undefined;
  /** What each connection, a slow line, lets through towards the caller; undefined lifts it. */
  maxBytesPerS: number | undefined;
}

/** Starts a proxy to `host:port`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const colon = target.lastIndexOf(":");
  const sockets = new Set<net.Socket>();
  let stalled = false;
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    let fromNear = 0;
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    near.on("data", (chunk) => {
      fromNear += chunk.length;
      if (proxy.cutAfterBytes !== undefined && fromNear > proxy.cutAfterBytes) end();
      else if (!stalled && !far.write(chunk)) near.pause();
    });
    let slowedUntilMs = 0;
    const resumeFar = (): void => {
      const waitMs = slowedUntilMs - performance.now();
      if (waitMs > 0) setTimeout(resumeFar, waitMs).unref();
      else if (!near.writableNeedDrain) far.resume();
    };
    far.on("data", (chunk) => {
      if (stalled) return;
      const isFull = !near.write(chunk);
      const passMs = proxy.maxBytesPerS === undefined ? 0 : (chunk.length / proxy.maxBytesPerS) * 1000;
      slowedUntilMs = Math.max(slowedUntilMs, performance.now()) + passMs;
      if (!isFull && passMs === 0) return;
      far.pause();
      if (!isFull) resumeFar();
    });
    near.on("drain", resumeFar);
    far.on("drain", () => near.resume());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const proxy: TcpProxy = {
    address: `127.0.0.1:${address.port}`,
    cutAfterBytes: undefined,
    maxBytesPerS: undefined,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    stall() {
      stalled = true;
    },
    async [Symbol.asyncDispose]() {
      proxy.cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
