import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { codec, Exec, Files, generateKeyPair, LANE_WINDOWS } from "@cmdop/proto";
import { describe, expect, it, vi } from "vitest";
import { frame } from "../testing/fake-agent.ts";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { startTcpProxy } from "../testing/tcp-proxy.ts";
import { all, type Caller, refusal, until, World } from "../testing/world.ts";

const MiB = 1024 * 1024;
const START = "/cmdop.v1.Exec/Start";
const INFO = "/cmdop.v1.Files/Info";
const READ_STREAM = "/cmdop.v1.Files/ReadStream";

/** An empty gRPC message. */
const EMPTY = Buffer.alloc(5);

/** These tests move much content or many calls, on whatever machine they are run. */
vi.setConfig({ testTimeout: 60_000 });

/** A machine, and a victim with one open call: what others do must not touch it. */
async function withVictim(world: World, machine = "web-1") {
  const victim = world.caller(await world.key());
  const headers = await victim.headers(machine);
  const inputs = Promise.withResolvers<void>();
  const open = victim.jobs
    .input(
      (async function* () {
        yield { data: Buffer.alloc(1) };
        await inputs.promise;
        yield { data: Buffer.alloc(1) };
      })(),
      { headers },
    )
    [Symbol.asyncIterator]();
  await open.next();
  return async () => {
    inputs.resolve();
    expect((await open.next()).value).toMatchObject({ accepted: 2n });
    expect((await open.next()).done).toBe(true);
    await victim.files.info({ path: "/" }, { headers: await victim.headers(machine) });
  };
}

describe("HTTP/2 defects", () => {
  it("A: uploads and downloads with full windows both ways do not stop each other", async () => {
    await using world = await World.start();
    const machineKey = generateKeyPair();
    const { bootId } = await world.agent("web-1", { machineKey });
    for (const lane of ["download", "upload"] as const) {
      await world.agent("web-1", { machineKey, bootId, lane, joinToken: "" });
    }
    // One connection for both, as a foreign client would have.
    const caller = world.caller(await world.key(), LANE_WINDOWS.download.toCaller.session);
    const headers = await caller.headers("web-1");
    const chunks = 640;
    const upload = async () => {
      const pieces = (async function* () {
        for (let sent = 0; sent < chunks; sent += 1) yield { data: Buffer.alloc(64 * 1024) };
      })();
      return (await caller.files.writeStream(pieces, { headers })).entry?.size;
    };
    const download = async () => {
      let size = 0n;
      for await (const { data } of caller.files.readStream({ path: `/${chunks}` }, { headers }))
        size += BigInt(data.length);
      return size;
    };
    const whole = BigInt(chunks * 64 * 1024);
    expect(await Promise.all([upload(), download(), upload(), download()])).toEqual([
      whole,
      whole,
      whole,
      whole,
    ]);
  });

  it("B: an agent that is killed under load is soon gone, its calls are told, and its descriptor is free", async () => {
    await using world = await World.start({ times: { linkPingIntervalMs: 100, linkDeadAfterMs: 1_000 } });
    const caller = world.caller(await world.key());
    // The load has a connection of its own: the relay ends one that cancels too much.
    const busy = world.caller(caller.key);
    for (const { machines, headers } of [caller, busy]) await machines.list({}, { headers: await headers() });
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const before = descriptors();

    const machineKey = generateKeyPair();
    const settings = {
      relay: world.target,
      seed: Buffer.from(machineKey.seed).toString("base64url"),
      joinToken: await world.joinToken(),
      lane: "interactive",
      bootId: crypto.randomUUID(),
    };
    const script = new URL("../testing/agent-process.ts", import.meta.url).pathname;
    const agent = spawn(process.execPath, [script, JSON.stringify(settings)], { stdio: "ignore" });
    world.defer(() => agent.kill("SIGKILL"));
    await until(async () => (await world.health()).links.interactive === 1);
    const headers = await caller.headers("web-1");
    const held = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
    await held.next();
    let batches = 0;
    let stop = false;
    const load = (async () => {
      for (; !stop; batches += 1) {
        const signal = AbortSignal.timeout(5);
        await Promise.all(
          Array.from({ length: 50 }, () =>
            refusal(all(busy.jobs.attach({ jobId: "j" }, { headers, signal }))),
          ),
        );
      }
    })();
    await until(() => batches >= 3);
    agent.kill("SIGKILL");
    expect(await refusal(held.next())).toBe("LinkLost");
    stop = true;
    await load;
    expect(await refusal(caller.files.info({ path: "/" }, { headers }))).toBe("MachineOffline");
    expect((await world.health()).links.interactive).toBe(0);
    await until(() => descriptors() <= before);
  });

  it("C: 4,000 unary calls at 500 in flight all have their status", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    const outcomes = new Map<string, number>();
    let left = 4_000;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        const path = left % 2 === 0 ? "/5000" : "/fail/10";
        const outcome = `${path} ${await refusal(caller.files.read({ path }, { headers }))}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 500 }, worker));
    expect(Object.fromEntries(outcomes)).toEqual({ "/5000 no error": 2_000, "/fail/10 NotFound": 2_000 });
  });

  it("E: a header of 100 KB harms only its own call; a single value that HPACK can't hold, only its own connection", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    const session = await world.rawCaller();
    const beside = rawCall(session, "/cmdop.v1.Jobs/Attach", headers).end(EMPTY);
    await once(beside, "response");
    const attempt = (more: Record<string, string>, on = session) =>
      rawAnswer(rawCall(on, INFO, { ...headers, ...more }).end(EMPTY));
    expect(errorOf(await attempt({ "x-large": "x".repeat(14_000) }))).toBe("status 0");
    for (const size of [17_000, 40_000, 60_000]) {
      const answer = await attempt({ "x-large": "x".repeat(size) });
      expect([errorOf(answer), answer.rstCode]).toContainEqual(answer.rstCode === 0 ? "LimitExceeded" : 11);
      // Before the relay's settings are acknowledged, HTTP/2 itself would let it pass.
      const early = await attempt({ "x-large": "x".repeat(size) }, await world.rawCaller());
      expect([errorOf(early), early.rstCode]).toContainEqual(early.rstCode === 0 ? "LimitExceeded" : 11);
    }
    const pieces = Object.fromEntries([1, 2, 3, 4].map((piece) => [`x-large-${piece}`, "x".repeat(25_000)]));
    expect((await attempt(pieces)).rstCode).toBe(11);
    expect(beside.closed || session.closed).toBe(false);
    expect((await attempt({ "x-large": "x".repeat(100_000) })).rstCode).not.toBe(0);
    await unharmed();
  });

  it("E: a status message of 100 KB harms only its own call", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    expect(await refusal(caller.files.read({ path: "/fail/100000" }, { headers }))).toBe("NotFound");
    await unharmed();
  });

  it("E: what a machine puts into its headers harms no other machine, and in pieces only its own call", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    await world.agent("raw", {
      onStream: (stream, headers) => {
        const said = Object.fromEntries(
          Array.from({ length: Number(headers["x-pieces"]) }, (_, piece) => [
            `x-${piece}`,
            "x".repeat(Number(headers["x-size"])),
          ]),
        );
        if (headers["x-alone"] === "yes") {
          stream.respond({ ":status": 200, "grpc-status": "5", ...said }, { endStream: true });
          return;
        }
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "5", ...said }));
        stream.end();
      },
    });
    const session = await world.rawCaller();
    const headers = await world.caller(await world.key()).headers("raw");
    const attempt = async (alone: string, pieces: number, size: number) => {
      const more = { "x-alone": alone, "x-pieces": String(pieces), "x-size": String(size) };
      return rawAnswer(rawCall(session, INFO, { ...headers, ...more }).end(EMPTY));
    };
    for (const alone of ["yes", "no"]) {
      expect((await attempt(alone, 1, 40_000)).rstCode).toBe(11);
      expect((await attempt(alone, 4, 25_000)).rstCode).toBe(11);
      expect(errorOf(await attempt(alone, 1, 1_000))).toBe("status 5");
    }
    expect(errorOf(await attempt("yes", 1, 100_000))).toBe("LinkLost");
    expect(errorOf(await attempt("yes", 1, 1_000))).toBe("MachineOffline");
    await unharmed();
  });
});

describe("promise 9: one caller harms only itself", () => {
  it("with 3,000 canceled calls", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    for (let done = 0; done < 3_000; done += 100) {
      const signal = AbortSignal.timeout(20);
      await Promise.all(
        Array.from({ length: 100 }, () =>
          refusal(all(caller.jobs.attach({ jobId: "j" }, { headers, signal }))),
        ),
      );
    }
    await unharmed();
    await until(async () => (await world.health()).calls === 0);
  });

  it("by dying with 1,500 open calls", async () => {
    await using world = await World.start();
    const agent = await world.agent("web-1");
    const unharmed = await withVictim(world);
    const session = await world.rawCaller();
    const headers = await world.caller(await world.key()).headers("web-1");
    for (let open = 0; open < 1_500; open += 1) rawCall(session, "/cmdop.v1.Jobs/Attach", headers).end(EMPTY);
    await until(() => agent.calls.length === 1_501);
    session.destroy();
    await until(async () => (await world.health()).calls === 1);
    await unharmed();
  });

  it("by opening more calls than it may", async () => {
    await using world = await World.start({ bounds: { callsPerKey: 10 } });
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const session = await world.rawCaller();
    const headers = await world.caller(await world.key()).headers("web-1");
    const held = Array.from({ length: 10 }, () =>
      rawCall(session, "/cmdop.v1.Jobs/Attach", headers).end(EMPTY),
    );
    await Promise.all(held.map((call) => once(call, "response")));
    expect(errorOf(await rawAnswer(rawCall(session, INFO, headers).end(EMPTY)))).toBe("LimitExceeded");
    held[0]?.close(8);
    await until(async () => (await world.health()).calls === 10);
    expect(errorOf(await rawAnswer(rawCall(session, INFO, headers).end(EMPTY)))).toBe("status 0");
    await unharmed();
  });

  it("by opening 200 calls and reading none; what it makes the relay hold stays within its share", async () => {
    await using world = await World.start({ bounds: { heldBytesPerKey: 16 * MiB } });
    const agent = await world.agent("web-1");
    const unharmed = await withVictim(world);
    const caller: Caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    // Windows wide open at the caller's end would only move the content there: none here.
    const session = await world.rawCaller({ initialWindowSize: 0 });
    const { serialize } = startRequest();
    const calls = Array.from({ length: 200 }, () => {
      const call = rawCall(session, START, headers);
      call.end(serialize("output 1000 65536"));
      return call;
    });
    let dropped = 0;
    for (const call of calls) {
      call.once("close", () => {
        if (call.rstCode === 11) dropped += 1;
      });
    }
    await until(() => agent.calls.length === 201);
    // 16 MiB are 64 full windows of 256 KiB: most of the 200 must go.
    await until(() => dropped >= 100);
    await unharmed();
    session.destroy();
    await until(async () => (await world.health()).calls === 0);
  });

  it("by beginning requests and ending none; what they make others hold stays within its share", async () => {
    await using world = await World.start({ bounds: { heldBytesPerKey: 16 * MiB } });
    const agent = await world.agent("web-1");
    const unharmed = await withVictim(world);
    const session = await world.rawCaller();
    const headers = await world.caller(await world.key()).headers("web-1");
    let dropped = 0;
    for (let count = 0; count < 20; count += 1) {
      const call = rawCall(session, "/cmdop.v1.Files/Write", headers);
      // A message of 4 MiB begins like this.
      call.write(Buffer.concat([Buffer.of(0, 0, 64, 0, 0), Buffer.alloc(2 * MiB)]));
      call.once("close", () => {
        if (call.rstCode === 11) dropped += 1;
      });
    }
    await until(() => agent.calls.length === 1 && dropped >= 12);
    await unharmed();
    session.destroy();
    await until(async () => (await world.health()).calls === 0);
  });

  it.each(["TLS", "TCP"])("by ending its side of %s while it is sent much", async (layer) => {
    await using world = await World.start();
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const headers = await world.caller(await world.key()).headers("web-1");
    for (let round = 0; round < 10; round++) {
      const socket = connectTcp({ port: world.relay.port, host: "127.0.0.1", allowHalfOpen: true });
      const session = await world.rawCaller({ initialWindowSize: 2 ** 30 }, socket);
      session.setLocalWindowSize(2 ** 30);
      const call = rawCall(session, READ_STREAM, headers);
      call.end(frame(codec(Files.method.readStream.input).serialize({ path: "/100000" })));
      await once(call, "response");
      call.resume();
      await new Promise((resolve) => setTimeout(resolve, round * 5));
      if (layer === "TLS") session.tls.end();
      else socket.end();
      await new Promise((resolve) => setTimeout(resolve, 20));
      session.tls.destroy();
    }
    await unharmed();
    await until(async () => (await world.health()).calls === 0);
  });

  it("by reading nothing from its connection at all", async () => {
    const times = { callerPingIntervalMs: 200, callerDeadAfterMs: 2_000 };
    await using world = await World.start({ times, bounds: { heldBytesPerKey: 4 * MiB } });
    await world.agent("web-1");
    const unharmed = await withVictim(world);
    const wire = await startTcpProxy(world.relay.port);
    world.defer(() => wire.close());
    const session = await world.rawCaller({ initialWindowSize: 2 ** 30 }, await wire.socket());
    session.setLocalWindowSize(2 ** 30);
    const headers = await world.caller(await world.key()).headers("web-1");
    const closed = once(session, "close");
    const call = rawCall(session, READ_STREAM, headers);
    call.end(frame(codec(Files.method.readStream.input).serialize({ path: "/100000" })));
    await once(call, "response");
    wire.pause();
    await until(async () => (await world.health()).calls === 1);
    wire.close();
    await closed;
    await unharmed();
  });
});

/** A Start request by hand. */
function startRequest() {
  const { serialize } = codec(Exec.method.start.input);
  return {
    serialize: (line: string) => frame(serialize({ jobId: "j", command: { case: "shell", value: line } })),
  };
}
