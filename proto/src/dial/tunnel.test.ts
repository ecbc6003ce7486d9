import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import tls from "node:tls";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { testAuthority, testLeaf } from "../testing/certificates.ts";
import { portOf } from "../testing/loopback.ts";
import { proxyFor } from "./proxy-settings.ts";
import { RelayFault } from "./relay-fault.ts";
import { dialThrough } from "./tunnel.ts";

const OK = "HTTP/1.1 200 Connection established\r\n\r\n";

let server: Server;
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
});

/** A proxy that answers whatever it is asked in these pieces; a dial through it to `[fd00::1]:7443`. */
async function dialled(...pieces: string[]): Promise<{ asked: string; socket: Socket }> {
  let asked = "";
  return begin(
    createServer((socket) => {
      socket.once("data", async (data) => {
        asked = data.toString();
        for (const piece of pieces) {
          socket.write(piece, "latin1");
          await new Promise(setImmediate);
        }
        if (!pieces.includes(OK)) socket.end();
      });
    }),
    "http://user:hunter2@",
  ).then((socket) => ({ asked, socket }));
}

async function begin(made: Server, url: string): Promise<Socket> {
  server = made;
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => undefined)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const proxy = proxyFor("fd00::1", 7443, { HTTPS_PROXY: `${url}localhost:${portOf(server)}` });
  if (proxy === undefined) throw new TypeError("no proxy");
  return dialThrough(proxy, "fd00::1", 7443, AbortSignal.timeout(5_000));
}

const refusal = (...pieces: string[]): Promise<unknown> => dialled(...pieces).catch((thrown) => thrown);

describe("CONNECT", () => {
  it("names the host as it was given, and logs in", async () => {
    const { asked, socket } = await dialled("HTTP/1.0 200", " OK\r\nVia: x\r\n\r", "\n");
    expect(asked).toBe(
      `CONNECT [fd00::1]:7443 HTTP/1.1\r\nHost: [fd00::1]:7443\r\nProxy-Authorization: Basic ${Buffer.from("user:hunter2").toString("base64")}\r\n\r\n`,
    );
    socket.destroy();
  });

  it.each([
    [
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Please log in</html>",
      "proxy-foreign",
      /a web page/,
    ],
    ["<!DOCTYPE html><html>", "proxy-foreign", /a web page/],
    ["SSH-2.0-OpenSSH_9.2\r\n", "proxy-foreign", /SSH-2\.0/],
    ["HTTP/1.1 404 Not Found\r\n\r\n", "proxy-foreign", /404/],
    ["HTTP/1.1 302 Found\r\nLocation: http://login\r\n\r\n", "proxy-foreign", /302/],
    ["HTTP/1.1 200 OK\r\n", "proxy-foreign", /200 OK/],
    [`HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(10_000)}`, "proxy-foreign", /./],
    [
      "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
      "proxy-login",
      /Negotiate, NTLM/,
    ],
    [
      "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
      "proxy-login",
      /refuses/,
    ],
    ["HTTP/1.1 403 \u001b[31mNo\r\n\r\n", "proxy-forbids", /\\u\{1b\}/],
    ["HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy-cannot-reach", /502/],
    ["", "proxy-foreign", /without an answer/],
  ])("%j is a fault, and no word of it is the password", async (answer, kind, message) => {
    const thrown = await refusal(answer);
    expect(thrown).toMatchObject({ kind, message: expect.stringMatching(message) });
    expect(JSON.stringify(thrown)).not.toMatch(/hunter2|dXNlcj/);
  });

  it("whatever a proxy says is a tunnel or a fault (fuzz)", { timeout: 30_000 }, async () => {
    const answers = fc.array(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("HTTP/1.1 ", "200", "\r\n", "\r\n\r\n")),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(answers, async (pieces) => {
        const thrown = await refusal(...pieces.filter((piece) => piece !== ""));
        for (const socket of sockets) socket.destroy();
        server.close();
        expect(thrown instanceof RelayFault || pieces.join("").startsWith("HTTP/1")).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe("an https:// proxy", () => {
  const authority = testAuthority();
  const tlsProxy = (): Server =>
    tls.createServer(testLeaf(authority), (socket) => {
      socket.on("error", () => undefined).once("data", () => socket.write(OK));
    });

  it("whose authority is unknown is told by name, and never hears the login", async () => {
    await expect(begin(tlsProxy(), "https://user:hunter2@")).rejects.toMatchObject({
      kind: "proxy-untrusted",
    });
  });

  it("whose authority is known is used over TLS", async () => {
    const before = tls.getCACertificates("default");
    tls.setDefaultCACertificates([authority.pem]);
    const socket = await begin(tlsProxy(), "https://user:hunter2@");
    tls.setDefaultCACertificates(before);
    expect(socket).toMatchObject({ encrypted: true, authorized: true });
    socket.destroy();
  });
});
