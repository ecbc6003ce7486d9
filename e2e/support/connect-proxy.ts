import { once } from "node:events";
import http from "node:http";
import net from "node:net";

/** An HTTP proxy that connects by CONNECT, as a company has one. */
export interface ConnectProxy extends AsyncDisposable {
  readonly port: number;
  /** What was asked for, and by whom: `host:port user:password`. */
  readonly asked: string[];
}

/** Starts a proxy that wants `login` (`user:password`) and takes whoever has it to `target`, whatever host was asked for. */
export async function startConnectProxy(target: string, login: string): Promise<ConnectProxy> {
  const colon = target.lastIndexOf(":");
  const sockets = new Set<net.Socket>();
  const asked: string[] = [];
  const server = http.createServer((_request, response) => response.end("<html>no page here</html>"));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("connect", (request, near: net.Socket) => {
    near.on("error", () => near.destroy());
    const [, credentials = ""] = /^Basic (.*)$/.exec(request.headers["proxy-authorization"] ?? "") ?? [];
    const given = Buffer.from(credentials, "base64").toString();
    asked.push(`${request.url} ${given}`);
    if (given !== login) {
      near.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a"\r\n\r\n');
      return;
    }
    const far = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    far.on("error", () => near.destroy());
    far.once("connect", () => {
      near.write("HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n");
      near.pipe(far).pipe(near);
    });
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return {
    port: address.port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
