import { once } from "node:events";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { until, World } from "../testing/world.ts";
import { MAX_STRANGERS_PER_ADDRESS } from "./limits.ts";

const TIMES = { handshakeTimeoutMs: 300, firstCallTimeoutMs: 300, greetTimeoutMs: 300, shutdownDrainMs: 50 };

const PATIENT = {
  handshakeTimeoutMs: 300_000,
  firstCallTimeoutMs: 300_000,
  greetTimeoutMs: 300_000,
  shutdownDrainMs: 50,
};

/** What a flood sends before the test gives up: a relay without a bound would take it all. */
const MAX_FLOOD_BYTES = 48 * 1024 * 1024;

function tcp(world: World): Socket {
  const socket = connectTcp(world.relay.port, "127.0.0.1");
  socket.on("error", () => undefined);
  world.defer(() => socket.destroy());
  return socket;
}

function tls(world: World, alpn: string[]): TLSSocket {
  const socket = connectTls({
    port: world.relay.port,
    host: "127.0.0.1",
    ALPNProtocols: alpn,
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  world.defer(() => socket.destroy());
  return socket;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return address.port;
}

/** `once` would take a TLS alert for a failure. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

/** A machine and a call on it that runs while others misbehave. */
async function busy(times = TIMES) {
  const world = await World.start({ times });
  await world.agent("web-1");
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const events = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  expect((await events.next()).done).toBe(false);
  return {
    world,
    // The call that was open all the while still is, and a new one works.
    unharmed: async () => {
      await caller.files.info({ path: "/" }, { headers });
      expect((await world.health()).calls).toBe(1);
    },
  };
}

it.each([
  ["garbage", Buffer.alloc(3_000, 0xfe)],
  ["plain text", "hello?\n"],
  ["an HTTP/1.1 request", "GET / HTTP/1.1\r\nHost: relay\r\n\r\n"],
  ["plain HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["half a TLS handshake", Buffer.from("160301020001", "hex")],
  ["nothing", ""],
])("closes a connection that sends %s", async (_what, bytes) => {
  const { world, unharmed } = await busy();
  await using _ = world;
  const socket = tcp(world);
  socket.resume();
  if (bytes.length > 0) socket.write(bytes);
  await closed(socket);
  await unharmed();
});

it.each([
  ["no ALPN", []],
  ["HTTP/1.1 alone", ["http/1.1"]],
])("closes a TLS connection that offers %s", async (_what, alpn) => {
  // At once: no time limit is what closes it.
  const { world, unharmed } = await busy(PATIENT);
  await using _ = world;
  const socket = tls(world, alpn);
  socket.resume();
  await closed(socket);
  await unharmed();
});

it.each(["h2", "cmdop-agent/1"])(
  "closes a TLS connection that offers %s and then says nothing, or garbage",
  async (alpn) => {
    const { world, unharmed } = await busy();
    await using _ = world;
    const silent = tls(world, [alpn]);
    silent.resume();
    const loud = tls(world, [alpn]);
    loud.once("secureConnect", () => loud.write(Buffer.alloc(5_000, 0x41)));
    loud.resume();
    await Promise.all([closed(silent), closed(loud)]);
    await unharmed();
  },
);

it("closes a caller's session that makes no good call, but not one that has", async () => {
  const { world, unharmed } = await busy();
  await using _ = world;
  const idle = await world.rawCaller();
  const refused = await world.rawCaller();
  await rawAnswer(rawCall(refused, "/cmdop.v1.Files/Info", {}).end());
  const good = await world.rawCaller();
  const headers = await world.caller(await world.key()).headers("web-1");
  await rawAnswer(rawCall(good, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5)));
  await Promise.all([once(idle, "close"), once(refused, "close")]);
  await rawAnswer(rawCall(good, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5)));
  await unharmed();
});

it("closes a caller's session that has been idle for long", async () => {
  await using world = await World.start({ times: { idleSessionMs: 100 } });
  await world.agent("web-1");
  const session = await world.rawCaller();
  const headers = await world.caller(await world.key()).headers("web-1");
  const ended = once(session, "close");
  await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5)));
  await ended;
});

it("promise 9: 1,000 idle connections cost a fixed amount and lock nobody out", async () => {
  await using world = await World.start({ times: PATIENT });
  await world.agent("web-1");
  const fewLeft = Promise.withResolvers<void>();
  let open = 0;
  for (let count = 0; count < 1_000; count += 1) {
    const socket = tcp(world);
    socket.resume();
    await once(socket, "connect");
    open += 1;
    socket.once("close", () => {
      open -= 1;
      if (open <= MAX_STRANGERS_PER_ADDRESS) fewLeft.resolve();
    });
  }
  await fewLeft.promise;
  await until(async () => (await world.health()).strangers <= MAX_STRANGERS_PER_ADDRESS);
  // A new machine and a new caller still get in.
  await world.agent("web-2");
  const caller = world.caller(await world.key());
  await caller.files.info({ path: "/" }, { headers: await caller.headers("web-2") });
});

it("connections that never finish their handshake throw out none that has finished it, from the same address", async () => {
  await using world = await World.start({ times: PATIENT });
  await world.agent("web-1");
  const key = await world.key();
  const newcomer = await world.rawCaller();
  const flood = Array.from({ length: 2 * MAX_STRANGERS_PER_ADDRESS + 50 }, () => tcp(world).resume());
  await Promise.all(flood.map((socket) => once(socket, "connect")));
  await until(() => flood.filter(({ destroyed }) => destroyed).length >= MAX_STRANGERS_PER_ADDRESS);
  const headers = await world.caller(key).headers("web-1");
  const answer = await rawAnswer(rawCall(newcomer, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5)));
  expect(errorOf(answer)).toBe("status 0");
});

it("promise 9: ends a stranger that asks without end and reads no answer", async () => {
  const { world, unharmed } = await busy(PATIENT);
  await using _ = world;
  const socket = tls(world, ["h2"]);
  await once(socket, "secureConnect");
  socket.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  socket.write(Buffer.from("000000040000000000", "hex"));
  const pings = Buffer.concat(Array(4_096).fill(Buffer.from("0000080600000000000000000000000000", "hex")));
  let sent = 0;
  const flood = (): void => {
    // It reads nothing: a TLS socket without a reader takes nothing from the kernel but what fits its buffer.
    while (sent < MAX_FLOOD_BYTES && socket.writable && socket.write(pings)) sent += pings.length;
  };
  socket.on("drain", flood);
  const gone = closed(socket);
  flood();
  await gone;
  expect(sent).toBeLessThan(MAX_FLOOD_BYTES);
  await unharmed();
});

it("tells connections apart that differ in the relay's own address alone", async () => {
  await using world = await World.start({ host: "0.0.0.0", times: TIMES });
  await world.agent("web-1");
  const headers = await world.caller(await world.key()).headers("web-1");
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const from = { localAddress: "127.0.0.1", localPort: portOf(listener) };
  listener.close();
  await once(listener, "close");
  const dial = async (host: string) => {
    const socket = connectTcp({ port: world.relay.port, host, ...from });
    world.defer(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const [first, second] = [await dial("127.0.0.1"), await dial("127.0.0.2")];
  second.resume();
  const session = await world.rawCaller({}, first);
  const call = () => rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5)));
  expect(errorOf(await call())).toBe("status 0");
  // The one without a handshake is closed, and the other is not.
  await closed(second);
  expect(errorOf(await call())).toBe("status 0");
});
