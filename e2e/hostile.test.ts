import { once } from "node:events";
import net from "node:net";
import {
  formatApiKey,
  generateKeyPair,
  HEADERS,
  type KeyPair,
  MAX_MESSAGE_BYTES,
  METHODS,
  parseApiKey,
  signCallToken,
  signGrant,
} from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { residentBytes } from "./support/memory.ts";
import { closed, RawCaller, rawTls } from "./support/raw-call.ts";

/** Resident memory that a relay may gain from strangers, in bytes: garbage collection is lazy, leaks are larger. */
const STRANGERS_MEMORY_BUDGET_BYTES = 100 * 1024 * 1024;

const INFO = "/cmdop.v1.Machine/Info";
const START = "/cmdop.v1.Exec/Start";

let cluster: Cluster;
let client: CMDOPClient;
let key: KeyPair;
let reader: KeyPair;
let raw: RawCaller;

const nowS = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  await cluster.addMachine("twin");
  await cluster.addMachine("twin");
  const away = await cluster.addMachine("away");
  await away.process.stop();
  client = await cluster.client();
  ({ key } = parseApiKey(
    (await cluster.createKey({ scopes: ["terminal", "machines:read"], machines: ["*"] })).apiKey,
  ));
  ({ key: reader } = parseApiKey(
    (await cluster.createKey({ scopes: ["files:read"], machines: ["web-1"] })).apiKey,
  ));
  raw = await RawCaller.connect(cluster.relayAddress);
});
afterAll(async () => {
  await raw[Symbol.asyncDispose]();
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

async function headers(
  options: {
    key?: KeyPair;
    machine?: string;
    tokenMachine?: string | null;
    relayId?: string;
    atS?: number;
  } = {},
): Promise<Record<string, string>> {
  const machine = options.machine ?? "web-1";
  const audience = {
    relayId: options.relayId ?? cluster.relayId,
    machine: options.tokenMachine === undefined ? machine : options.tokenMachine,
  };
  const token = await signCallToken(audience, options.key ?? key, options.atS ?? nowS());
  return { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: machine };
}

describe("refused at the relay's door, with the right typed error", () => {
  it.each([
    ["no token", async () => ({ [HEADERS.machine]: "web-1" }), INFO, "Unauthenticated"],
    [
      "a token of a key that the relay does not know",
      () => headers({ key: generateKeyPair() }),
      INFO,
      "KeyUnknown",
    ],
    ["a token that has ended", () => headers({ atS: nowS() - 600 }), INFO, "TokenExpired"],
    ["a token from the future", () => headers({ atS: nowS() + 600 }), INFO, "TokenExpired"],
    ["a token for another relay", () => headers({ relayId: generateKeyPair().id }), INFO, "Unauthenticated"],
    ["a token for another machine", () => headers({ tokenMachine: "away" }), INFO, "Unauthenticated"],
    ["a token for the relay itself", () => headers({ tokenMachine: null }), INFO, "Unauthenticated"],
    ["an unknown machine", () => headers({ machine: "nowhere" }), INFO, "MachineUnknown"],
    [
      "a machine that the key is not granted",
      () => headers({ key: reader, machine: "away" }),
      "/cmdop.v1.Files/Info",
      "MachineUnknown",
    ],
    ["an ambiguous machine", () => headers({ machine: "twin" }), INFO, "MachineAmbiguous"],
    ["an offline machine", () => headers({ machine: "away" }), INFO, "MachineOffline"],
    ["a missing scope", () => headers({ key: reader }), START, "PermissionDenied"],
    ["a method that does not exist", () => headers(), "/cmdop.v1.Exec/Format", "Unimplemented"],
    ["the link's own service", () => headers(), "/cmdop.v1.Link/Welcome", "Unimplemented"],
    [
      "an owner's method with another key",
      () => headers({ tokenMachine: null }),
      "/cmdop.relay.v1.Roster/Put",
      "PermissionDenied",
    ],
  ])("%s", async (_title, of, path, code) => {
    const trailers = await raw.call(path, await of());
    expect(trailers).toMatchObject({ "x-cmdop-error": code });
    expect(trailers["grpc-message"]).not.toBe("");
    expect(trailers["x-cmdop-next"]).not.toBe("");
  });

  it("a grant signed by somebody else is not stored", async () => {
    const stranger = generateKeyPair();
    const target = { id: cluster.relayId, address: cluster.relayAddress };
    await using asStranger = CMDOPClient.remote({ apiKey: formatApiKey({ key: stranger, relay: target }) });
    const refused = asStranger.keys.create({ name: "mine", scopes: ["terminal"], machines: ["*"] });
    await expect(refused).rejects.toMatchObject({ code: "KeyUnknown" });
  });

  it("headers that only the relay may set are removed: a caller can't bring its own grant or name", async () => {
    const stranger = generateKeyPair();
    const grant = await signGrant(
      {
        key: stranger.publicKey,
        name: "me",
        scopes: ["terminal"],
        machines: [{ name: "*" }],
        iat: nowS(),
        not_after: nowS() + 60,
      },
      stranger,
    );
    const forged = { [HEADERS.grant]: grant, [HEADERS.caller]: key.id };
    const trailers = await raw.call(INFO, { ...(await headers({ key: stranger })), ...forged });
    expect(trailers).toMatchObject({ "x-cmdop-error": "KeyUnknown" });
  });

  it("a message over the limit harms only its own call", async () => {
    const trailers = await raw.call(START, await headers(), Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    expect(trailers["grpc-status"]).toBe("8");
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
  });

  it("garbage as a message harms only its own call", async () => {
    const trailers = await raw.call(START, await headers(), Buffer.from("this is no protobuf"));
    expect(trailers["grpc-status"]).not.toBe("0");
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
  });

  it("defect E: a 100 KB header harms only its own call", async () => {
    const running = client.machine("web-1").terminal.execute("sleep 1; echo unharmed");
    await using other = await RawCaller.connect(cluster.relayAddress);
    await other.call(INFO, { ...(await headers()), "x-large": "x".repeat(100_000) });
    expect(await running).toMatchObject({ stdout: "unharmed\n" });
  });

  it("every method of the table refuses a caller without a token", async () => {
    for (const path of Object.keys(METHODS)) {
      const trailers = await raw.call(path, { [HEADERS.machine]: "web-1" });
      expect(trailers["x-cmdop-error"], path).toBe("Unauthenticated");
    }
  });
});

describe("strangers on the relay's port", () => {
  const port = () => Number(cluster.relayAddress.split(":")[1]);

  it.each([
    ["garbage", () => crypto.getRandomValues(Buffer.alloc(10_000))],
    ["plain text", () => Buffer.from("hello? is this the relay?\r\n\r\n")],
    ["an HTTP/1.1 request", () => Buffer.from("GET / HTTP/1.1\r\nHost: relay\r\n\r\n")],
    ["an HTTP/2 preface without TLS", () => Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
  ])("%s: the connection ends and nobody else notices", async (_title, bytes) => {
    const socket = net.connect(port(), "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(bytes());
    socket.resume();
    await closed(socket);
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
  });

  it("TLS without a protocol that we speak is ended", async () => {
    const socket = rawTls(cluster.relayAddress, ["http/1.1"]);
    await closed(socket);
  });

  it("garbage inside TLS is ended, on both protocols", async () => {
    for (const alpn of ["h2", "cmdop-agent/1"]) {
      const socket = rawTls(cluster.relayAddress, [alpn]);
      await once(socket, "secureConnect");
      socket.end(crypto.getRandomValues(Buffer.alloc(10_000)));
      socket.resume();
      await closed(socket);
    }
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
  });

  it("promise 9: 1,000 idle connections, half of them in mid-handshake, end by themselves and cost a bounded memory", {
    timeout: 120_000,
  }, async () => {
    const before = await residentBytes(cluster.relay.pid);
    const idle: net.Socket[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      const socket =
        index % 2 === 0 ? net.connect(port(), "127.0.0.1") : rawTls(cluster.relayAddress, ["h2"]);
      socket.on("error", () => undefined);
      socket.resume();
      // The first bytes of a TLS handshake record that never goes on.
      if (index % 4 === 0) socket.write(Buffer.from("160301020001", "hex"));
      idle.push(socket);
    }
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
    await Promise.all(idle.map((socket) => (socket.closed ? undefined : closed(socket))));
    expect((await residentBytes(cluster.relay.pid)) - before).toBeLessThan(STRANGERS_MEMORY_BUDGET_BYTES);
    expect(await client.machine("web-1").terminal.execute("echo fine")).toMatchObject({ stdout: "fine\n" });
  });
});
