import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect, performServerHandshake } from "node:http2";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { portOf } from "../testing/loopback.ts";
import { tlsPair } from "../testing/tls-pair.ts";
import { watchdog } from "./watchdog.ts";

/** An empty SETTINGS frame. */
const SETTINGS = Buffer.from("000000040000000000", "hex");

const QUICK = { pingIntervalMs: 100, deadAfterMs: 400 };

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A session to a process that streams without end. */
async function busyPeer(): Promise<{ child: ChildProcess; session: ClientHttp2Session; socket: TLSSocket }> {
  const script = new URL("../testing/http2-peer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const [line] = await once(createInterface(child.stdout), "line");
  const socket = connectTls({
    port: Number(line),
    host: "127.0.0.1",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  const session = connect("https://peer", { createConnection: () => socket });
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  return { child, session, socket };
}

/** Streams that are canceled before it counts as load: far fewer than the peer's own guard against too many allows. */
const LOAD = 100;

/** Of these are open at once: more at a time than a slow peer answers would fill the session's memory first. */
const AT_ONCE = 20;

/** Opens and cancels streams for ever: the load under which Node never says that a killed peer is gone. `heavy`: when it has become one. */
function cancelLoad(session: ClientHttp2Session): { heavy: Promise<void>; stop: () => void } {
  const { promise: heavy, resolve } = Promise.withResolvers<void>();
  let running = true;
  let canceled = 0;
  const next = (): void => {
    if (!running || session.destroyed || session.closed) return;
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    stream.once("response", () => {
      stream.close(8);
      canceled += 1;
      if (canceled === LOAD) resolve();
    });
    stream.once("close", () => setImmediate(next));
  };
  for (let count = 0; count < AT_ONCE; count++) next();
  const stop = (): void => {
    running = false;
  };
  return { heavy, stop };
}

const death = (session: ClientHttp2Session, socket: TLSSocket, options = QUICK): Promise<void> =>
  new Promise((resolve) => {
    watchdog({ session, socket, ...options, onDead: resolve });
  });

describe("watchdog", () => {
  it("notices a peer that was SIGKILLed under cancel load, and lets nothing of it linger (HTTP/2 defect B)", async () => {
    const { child, session, socket } = await busyPeer();
    const dead = death(session, socket);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    await once(stream, "data");
    const { heavy, stop } = cancelLoad(session);
    await heavy;
    child.kill("SIGKILL");
    await dead;
    stop();
    expect(session.destroyed).toBe(true);
    expect(socket.destroyed).toBe(true);
  });

  it("notices a peer that is stopped: connected, and silent", async () => {
    const { child, session, socket } = await busyPeer();
    const dead = death(session, socket);
    child.kill("SIGSTOP");
    await dead;
    expect(session.destroyed).toBe(true);
  });

  it("leaves an idle peer alone as long as it answers pings", async () => {
    await using pair = await tlsPair();
    const server = performServerHandshake(pair.far);
    const session = connect("http://peer", { createConnection: () => pair.near });
    let dead = false;
    const watching = watchdog({ session, socket: pair.near, ...QUICK, onDead: () => (dead = true) });
    for (let ping = 0; ping < 10; ping++) await once(server, "ping");
    expect(dead).toBe(false);
    expect(session.destroyed).toBe(false);
    watching.stop();
    session.destroy();
    server.destroy();
  });

  it("leaves a busy peer alone although its ping answers never come through", async () => {
    const FRAMES = 50;
    // A frame of a type that nobody knows: to be ignored, but a sign of life.
    const UNKNOWN = Buffer.from("000000ee0000000000", "hex");
    const sentAll = Promise.withResolvers<void>();
    const listener = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      socket.write(SETTINGS);
      let frames = 0;
      const timer = setInterval(() => {
        socket.write(UNKNOWN);
        if (++frames === FRAMES) {
          clearInterval(timer);
          sentAll.resolve();
        }
      }, QUICK.deadAfterMs / 10);
    });
    await once(listener.listen(0, "127.0.0.1"), "listening");
    const session = connect(`http://127.0.0.1:${portOf(listener)}`);
    session.on("error", () => undefined);
    const [, socket] = await once(session, "connect");
    let alive = true;
    const dead = death(session, socket).then(() => {
      alive = false;
    });
    await sentAll.promise;
    expect(alive).toBe(true);
    // Then it falls silent.
    await dead;
    listener.close();
  });

  it("takes a stall of its own process for nobody's death", async () => {
    await using pair = await tlsPair();
    const server = performServerHandshake(pair.far);
    const session = connect("http://peer", { createConnection: () => pair.near });
    await once(session, "remoteSettings");
    let dead = false;
    const watching = watchdog({ session, socket: pair.near, ...QUICK, onDead: () => (dead = true) });
    await once(server, "ping");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * QUICK.deadAfterMs);
    for (let ping = 0; ping < 3; ping++) await once(server, "ping");
    expect(dead).toBe(false);
    watching.stop();
    session.destroy();
    server.destroy();
  });

  it("reads what came during a stall of its own before it judges a peer that it doubts", async () => {
    const { session, socket } = await busyPeer();
    const proofMs = 200;
    let dead = false;
    const watching = watchdog({ session, socket, proofMs, onDead: () => (dead = true) });
    watching.suspect();
    // The ping leaves; its answer comes while nobody reads.
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 * proofMs);
    await new Promise((resolve) => setTimeout(resolve, 2 * proofMs));
    expect(dead).toBe(false);
    watching.stop();
    session.destroy();
  });

  it("says so too when the connection is gone already", async () => {
    await using pair = await tlsPair();
    const session = connect("http://peer", { createConnection: () => pair.near });
    session.on("error", () => undefined);
    const dead = death(session, pair.near);
    pair.near.destroy();
    await dead;
    expect(session.destroyed).toBe(true);
  });
});

describe("a peer that is doubted", () => {
  const PROOF_MS = 1_000;
  /** Only what a test says passes, and nothing else of the watchdog comes up meanwhile. */
  const TIMES = { pingIntervalMs: 1_000_000, deadAfterMs: 1_000_000, proofMs: PROOF_MS };
  /** Enough to count as much, and within HTTP/2's first window: the peer need not ask for it. */
  const CONTENT = Buffer.alloc(48 * 1024);

  afterEach(() => {
    vi.useRealTimers();
  });

  /** A watched end, doubted, and the peer below HTTP/2: it says only what the test lets it. */
  async function doubted(sends: Buffer) {
    const pair = await tlsPair();
    const { near, far } = pair;
    far.resume();
    const session = connect("http://peer", { createConnection: () => near });
    session.on("error", () => undefined);
    await once(session, "connect");
    const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
    stream.on("error", () => undefined);
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
    let dead = false;
    const watching = watchdog({ session, socket: near, ...TIMES, onDead: () => (dead = true) });
    watching.suspect();
    const before = near.bytesWritten;
    stream.write(sends);
    while (near.bytesWritten - before < sends.length) await new Promise((resolve) => setImmediate(resolve));
    return {
      doubt: () => watching.suspect(),
      async isDeadAfter(ms: number): Promise<boolean> {
        vi.advanceTimersByTime(ms);
        // It judges when the loop has had a look at what has come.
        await new Promise((resolve) => setImmediate(resolve));
        return dead;
      },
      async hear(): Promise<void> {
        const bytesRead = near.bytesRead;
        far.write(SETTINGS);
        while (near.bytesRead === bytesRead) await new Promise((resolve) => setImmediate(resolve));
      },
      async [Symbol.asyncDispose]() {
        watching.stop();
        vi.useRealTimers();
        session.destroy();
        await pair[Symbol.asyncDispose]();
      },
    };
  }

  it("has one time to prove that it lives where little is sent", async () => {
    await using peer = await doubted(Buffer.alloc(100));
    expect(await peer.isDeadAfter(PROOF_MS - 1)).toBe(false);
    expect(await peer.isDeadAfter(1)).toBe(true);
  });

  it("has three where much is sent", async () => {
    await using peer = await doubted(CONTENT);
    expect(await peer.isDeadAfter(3 * PROOF_MS - 1)).toBe(false);
    expect(await peer.isDeadAfter(1)).toBe(true);
  });

  it.each([100, CONTENT.length])(
    "lives where it is heard in time, while %i bytes are sent",
    async (bytes) => {
      await using peer = await doubted(Buffer.alloc(bytes));
      expect(await peer.isDeadAfter(PROOF_MS - 1)).toBe(false);
      await peer.hear();
      expect(await peer.isDeadAfter(10 * PROOF_MS)).toBe(false);
    },
  );

  it("lives where it is heard only in the longer time, because much is sent", async () => {
    await using peer = await doubted(CONTENT);
    expect(await peer.isDeadAfter(2 * PROOF_MS)).toBe(false);
    await peer.hear();
    expect(await peer.isDeadAfter(10 * PROOF_MS)).toBe(false);
  });

  it("gains no time by being doubted again meanwhile", async () => {
    await using peer = await doubted(Buffer.alloc(100));
    expect(await peer.isDeadAfter(PROOF_MS - 1)).toBe(false);
    peer.doubt();
    expect(await peer.isDeadAfter(1)).toBe(true);
  });
});
