import { once } from "node:events";
import { connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { testAuthority, testLeaf } from "../testing/certificates.ts";
import { portOf } from "../testing/loopback.ts";
import { CALLER_ALPN, connectToRelay } from "./relay-tls.ts";

const HOUR_MS = 60 * 60 * 1000;
const authority = testAuthority();

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, "close");
  }
});

async function listening(server: Server): Promise<string> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `127.0.0.1:${portOf(server)}`;
}

/** A relay's port: TLS with the leaf, speaking ALPN h2 unless said otherwise. */
function relayWith(leaf: ReturnType<typeof testLeaf>, options: TlsOptions = {}): Promise<string> {
  const server = createServer({ ...leaf, ALPNProtocols: [CALLER_ALPN], ...options });
  server.on("tlsClientError", () => undefined);
  server.on("secureConnection", (socket) => socket.on("error", () => undefined));
  return listening(server);
}

const connectTo = (address: string, id = authority.relayId, options = {}) =>
  connectToRelay({ relay: { id, address }, alpn: CALLER_ALPN, ...options });

const untrusted = (why: RegExp) => ({ code: "RelayUntrusted", message: expect.stringMatching(why) });
const unreachable = (why: RegExp) => ({ code: "RelayUnreachable", message: expect.stringMatching(why) });

describe("promise 7: connectToRelay, pinned", () => {
  it("accepts a leaf that the pinned CA issued", async () => {
    const socket = await connectTo(await relayWith(testLeaf(authority)));
    expect(socket).toMatchObject({ alpnProtocol: CALLER_ALPN });
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.destroy();
  });

  it("over a connection that exists already", async () => {
    const address = await relayWith(testLeaf(authority));
    const tcp = connect(Number(address.split(":")[1]), "127.0.0.1");
    await once(tcp, "connect");
    const socket = await connectTo("nowhere.invalid:1", authority.relayId, { socket: tcp });
    socket.destroy();
  });

  it("accepts a leaf whose time has not come: the clock here may stand in 1970", async () => {
    const leaf = testLeaf(authority, {
      notBefore: new Date(Date.now() + HOUR_MS),
      notAfter: new Date(Date.now() + 2 * HOUR_MS),
    });
    (await connectTo(await relayWith(leaf))).destroy();
  });

  it("refuses another CA, though it has the same name", async () => {
    const other = testAuthority(authority.name);
    await expect(connectTo(await relayWith(testLeaf(other)))).rejects.toMatchObject(
      untrusted(/its CA is that of relay/),
    );
  });

  it("refuses a leaf that only pretends to come from the pinned CA", async () => {
    const impostor = testAuthority(authority.name);
    const leaf = testLeaf(impostor, { shown: authority });
    await expect(connectTo(await relayWith(leaf))).rejects.toMatchObject(untrusted(/did not issue/));
  });

  it("refuses a leaf of another name's CA behind which the pinned CA is shown", async () => {
    const leaf = testLeaf(testAuthority("another"), { shown: authority });
    await expect(connectTo(await relayWith(leaf))).rejects.toMatchObject(untrusted(/CA/));
  });

  it("refuses a leaf without its CA", async () => {
    const leaf = testLeaf(authority, { shown: null });
    await expect(connectTo(await relayWith(leaf))).rejects.toMatchObject(untrusted(/did not show its CA/));
  });

  it("refuses a leaf that has ended", async () => {
    const leaf = testLeaf(authority, {
      notBefore: new Date(Date.now() - 2 * HOUR_MS),
      notAfter: new Date(Date.now() - HOUR_MS),
    });
    await expect(connectTo(await relayWith(leaf))).rejects.toMatchObject(untrusted(/certificate ended/));
  });

  it.each([
    ["speaks another protocol", { ALPNProtocols: ["http/1.1"] }],
    ["speaks TLS 1.2 at most", { maxVersion: "TLSv1.2" as const }],
  ])("refuses a server that %s", async (_title, options) => {
    await expect(connectTo(await relayWith(testLeaf(authority), options))).rejects.toMatchObject(
      untrusted(/./),
    );
  });

  it("refuses a server that answers without ALPN", async () => {
    const server = createServer(testLeaf(authority));
    server.on("secureConnection", (socket) => socket.on("error", () => undefined));
    await expect(connectTo(await listening(server))).rejects.toMatchObject(untrusted(/does not speak h2/));
  });

  it("refuses a server that speaks no TLS", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await expect(connectTo(await listening(server))).rejects.toMatchObject(untrusted(/./));
  });
});

describe("connectToRelay, with a public name", () => {
  it("refuses a certificate that no public authority issued", async () => {
    const address = await relayWith(testLeaf(authority));
    const attempt = connectTo(address, "relay.example.com");
    await expect(attempt).rejects.toMatchObject(untrusted(/certificate/));
  });
});

describe("connectToRelay, when nothing answers", () => {
  it("nothing listens", async () => {
    const server = createTcpServer();
    const address = await listening(server);
    server.close();
    await once(server, "close");
    servers.splice(0);
    await expect(connectTo(address)).rejects.toMatchObject(unreachable(/ECONNREFUSED/));
    await expect(connectTo(address.replace("127.0.0.1", "localhost"))).rejects.toMatchObject(
      unreachable(/ECONNREFUSED/),
    );
  });

  it("a name that does not exist", async () => {
    await expect(connectTo("relay.invalid:443")).rejects.toMatchObject({ code: "RelayUnreachable" });
  });

  it("something accepts and stays silent: given up after the time-out", async () => {
    const address = await listening(createTcpServer());
    await expect(connectTo(address, authority.relayId, { timeoutMs: 200 })).rejects.toMatchObject(
      unreachable(/no TLS came back within 200 ms/),
    );
  });

  it("something accepts and closes", async () => {
    const address = await listening(createTcpServer((socket) => socket.end()));
    await expect(connectTo(address)).rejects.toMatchObject({ code: "RelayUnreachable" });
  });

  it("the caller gives up, before or during the attempt", async () => {
    const address = await listening(createTcpServer());
    const controller = new AbortController();
    const attempt = connectTo(address, authority.relayId, { signal: controller.signal });
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ code: "Canceled" });
    await expect(
      connectTo(address, authority.relayId, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: "Canceled",
    });
  });
});
