import { once } from "node:events";
import { connect, createServer, type TLSSocket } from "node:tls";
import { testAuthority, testLeaf } from "./certificates.ts";
import { portOf } from "./loopback.ts";

/** Both ends of one real TLS connection over loopback. */
export interface TlsPair extends AsyncDisposable {
  readonly near: TLSSocket;
  readonly far: TLSSocket;
}

/** Connects two TLS sockets in this process. */
export async function tlsPair(): Promise<TlsPair> {
  const server = createServer(testLeaf(testAuthority()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const accepted = new Promise<TLSSocket>((resolve) => server.once("secureConnection", resolve));
  const near = connect({ port: portOf(server), host: "127.0.0.1", rejectUnauthorized: false });
  const far = await accepted;
  // Tests break these connections on purpose.
  for (const end of [near, far]) end.on("error", () => undefined);
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
