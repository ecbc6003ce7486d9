import { once } from "node:events";
import net from "node:net";
import type { Random } from "./random.ts";

/** Within this many bytes a connection is still in its handshake, its greeting, or the start of its first call. */
const BEGINNING_BYTES = 6_000;

/** Which share of the connections is cut in its beginning. */
const BEGINNING_SHARE = 0.25;

/** A TCP proxy that cuts each connection after a number of bytes, counted in both directions together. */
export interface CutProxy extends AsyncDisposable {
  /** `host:port` to connect to. */
  readonly address: string;
  /** Connections that were cut so far. */
  readonly cuts: number;
  /** While false, nothing is cut. */
  cutting: boolean;
}

/** Starts a proxy to `host:port` that cuts each connection after at most `maxBytes`. It cuts nothing until it is told to. */
export async function startCutProxy(target: string, random: Random, maxBytes: number): Promise<CutProxy> {
  const colon = target.lastIndexOf(":");
  const sockets = new Set<net.Socket>();
  let cuts = 0;
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    let leftBytes =
      random.next() < BEGINNING_SHARE
        ? random.between(0, BEGINNING_BYTES)
        : random.between(BEGINNING_BYTES, maxBytes);
    const isReset = random.next() < 0.5;
    let over = false;
    const carry = (from: net.Socket, to: net.Socket): void => {
      from.setNoDelay(true);
      sockets.add(from);
      from.on("error", () => from.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroySoon();
      });
      from.on("data", (chunk: Buffer) => {
        if (over) return;
        if (proxy.cutting && chunk.length > leftBytes) {
          over = true;
          cuts += 1;
          // What came before the cut arrives, up to its last byte; an end that is stuck writing may not be reading.
          to.write(chunk.subarray(0, leftBytes), () => to.destroy());
          to.resume();
          if (isReset) from.resetAndDestroy();
          else from.destroy();
          return;
        }
        leftBytes = Math.max(0, leftBytes - chunk.length);
        if (!to.write(chunk)) from.pause();
      });
      to.on("drain", () => from.resume());
    };
    carry(near, far);
    carry(far, near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const proxy = {
    address: `127.0.0.1:${address.port}`,
    get cuts() {
      return cuts;
    },
    cutting: false,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
