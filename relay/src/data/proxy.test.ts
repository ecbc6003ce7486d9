import { once } from "node:events";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { DEFAULT_MAX_REQUEST_BYTES, HEADERS, methodRule } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { frame } from "../testing/fake-agent.ts";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { all, refusal, until, World } from "../testing/world.ts";
import { CANCEL_BURST } from "./limits.ts";

const READ = "/cmdop.v1.Files/Read";

/** An empty gRPC message. */
const EMPTY = Buffer.alloc(5);

/** A machine that answers each stream as the test says, and a raw caller of it. */
async function rawPair(
  world: World,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
) {
  await world.agent("raw", { onStream });
  const session = await world.rawCaller();
  const headers = await world.caller(await world.key()).headers("raw");
  return {
    session,
    headers,
    call: (path = READ, more = {}) => rawCall(session, path, { ...headers, ...more }),
  };
}

describe("a call through the relay", () => {
  it("arrives and returns, whatever its kind", async () => {
    await using world = await World.start();
    const agent = await world.agent("web-1");
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");

    const { content } = await caller.files.read({ path: "/100000" }, { headers });
    expect(Buffer.from(content)).toEqual(Buffer.alloc(100_000, 7));

    const events = await all(
      caller.exec.start({ jobId: "j", command: { case: "shell", value: "output 3 1000" } }, { headers }),
    );
    expect(events.map(({ event }) => event?.kind.case)).toEqual([
      "started",
      "output",
      "output",
      "output",
      "ended",
    ]);

    const data = [Buffer.alloc(10), Buffer.alloc(200_000), Buffer.alloc(3)];
    const sending = (async function* () {
      for (const piece of data) yield { data: piece };
    })();
    expect((await caller.files.writeStream(sending, { headers })).entry?.size).toBe(200_013n);

    const inputs = (async function* () {
      for (const piece of data) yield { data: piece };
    })();
    const answers = await all(caller.jobs.input(inputs, { headers }));
    expect(answers.map(({ accepted }) => accepted)).toEqual([10n, 200_010n, 200_013n]);
    expect(agent.calls).toHaveLength(4);
  });

  it("brings a handler's error with its code, message and next step", async () => {
    await using world = await World.start();
    await world.agent("web-1");
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    await expect(
      all(caller.exec.start({ command: { case: "shell", value: "fail" } }, { headers })),
    ).rejects.toMatchObject({
      code: "PolicyDenied",
      message: "ümlaut: 100 % denied / by policy",
      next: "ask",
    });
    expect(await refusal(caller.files.read({ path: "/fail/10" }, { headers }))).toBe("NotFound");
  });

  it("reaches the machine with the key's grant, and without what only the relay may say", async () => {
    await using world = await World.start();
    const seen: IncomingHttpHeaders[] = [];
    const { headers, call } = await rawPair(world, (stream, received) => {
      seen.push(received);
      stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
    });
    await rawAnswer(
      call(READ, {
        [HEADERS.grant]: "forged",
        [HEADERS.caller]: "forged",
        "x-cmdop-else": "forged",
        "x-mine": "kept",
        "grpc-timeout": "5S",
      }).end(),
    );
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ ...headers, "x-mine": "kept", te: "trailers", "grpc-timeout": "5S" });
    expect(seen[0]?.[HEADERS.grant]).toMatch(/^ey.+\..+\..+$/);
    expect(seen[0]).not.toHaveProperty("x-cmdop-caller");
    expect(seen[0]).not.toHaveProperty("x-cmdop-else");
  });

  it("carries an answer of headers alone, and an answer with custom headers and trailers", async () => {
    await using world = await World.start();
    const { call } = await rawPair(world, (stream, received) => {
      if (received["x-how"] === "alone") {
        stream.respond({ ":status": 200, "grpc-status": "7", "x-why": "alone" }, { endStream: true });
        return;
      }
      stream.respond({ ":status": 200, "x-first": "1" }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-last": "2" }));
      stream.end(Buffer.alloc(1_000_000));
    });
    const alone = await rawAnswer(call(READ, { "x-how": "alone" }).end());
    expect(alone).toMatchObject({
      headers: { "grpc-status": "7", "x-why": "alone" },
      trailers: {},
      bytes: 0,
    });
    const long = await rawAnswer(call(READ, { "x-how": "long" }).end());
    expect(long).toMatchObject({
      headers: { "x-first": "1" },
      trailers: { "grpc-status": "0", "x-last": "2" },
      bytes: 1_000_000,
    });
  });

  it.each([2, 8, 11])(
    "carries the machine's reset with its code %i, before and after its headers",
    async (code) => {
      await using world = await World.start();
      const { call } = await rawPair(world, (stream, received) => {
        if (received["x-when"] === "after") {
          // With trailers to come, Node does not end the stream before it resets it.
          stream.respond({ ":status": 200 }, { waitForTrailers: true });
          stream.write("begun", () => stream.close(code));
        } else stream.close(code);
      });
      expect(await rawAnswer(call(READ, { "x-when": "before" }))).toMatchObject({ rstCode: code });
      const after = await rawAnswer(call(READ, { "x-when": "after" }));
      expect(after).toMatchObject({ rstCode: code, trailers: {} });
    },
  );

  it("never repeats REFUSED_STREAM, which grpc-js would answer by calling again", async () => {
    await using world = await World.start();
    const { call } = await rawPair(world, (stream) => stream.close(7));
    const answer = await rawAnswer(call());
    expect(errorOf(answer)).toBe("LinkLost");
    expect(answer.rstCode).toBe(0);
  });

  it("carries the caller's reset, which reaches the machine as a reset and never as an end", async () => {
    await using world = await World.start();
    const arrived = Promise.withResolvers<ServerHttp2Stream>();
    const { call } = await rawPair(world, (stream) => {
      stream.resume();
      arrived.resolve(stream);
    });
    const calling = call("/cmdop.v1.Files/WriteStream");
    calling.write(frame(Buffer.alloc(100)));
    const stream = await arrived.promise;
    let aborted = false;
    stream.once("aborted", () => {
      aborted = true;
    });
    calling.close(8);
    await once(stream, "close");
    expect(stream.rstCode).toBe(8);
    expect(aborted).toBe(true);
  });

  it("HTTP/2 defect D: a caller's reset sends no END_STREAM to the machine", async () => {
    await using world = await World.start();
    const arrived = Promise.withResolvers<ServerHttp2Stream>();
    const { call } = await rawPair(world, (stream) => arrived.resolve(stream));
    const calling = call("/cmdop.v1.Files/WriteStream");
    calling.write(frame(Buffer.alloc(100)));
    const stream = await arrived.promise;
    // Node ends the readable side of a reset stream too; only END_STREAM does so before the stream is closed.
    let endedWhileOpen = false;
    stream.once("end", () => {
      endedWhileOpen = !stream.closed;
    });
    stream.resume();
    calling.destroy(new Error("the caller dies"));
    await once(stream, "close");
    expect(endedWhileOpen).toBe(false);
  });

  it("keeps the deadline at both ends", async () => {
    await using world = await World.start();
    const agent = await world.agent("web-1");
    const caller = world.caller(await world.key());
    const headers = await caller.headers("web-1");
    const hanging = all(
      caller.exec.start({ command: { case: "shell", value: "hang" } }, { headers, timeoutMs: 300 }),
    );
    expect(await refusal(hanging)).toBe("DeadlineExceeded");
    await until(async () => (await world.health()).calls === 0);
    expect(agent.calls).toHaveLength(1);
  });

  it("frees the machine at once when its caller goes", async () => {
    await using world = await World.start();
    const arrived = Promise.withResolvers<ServerHttp2Stream>();
    const { call, session } = await rawPair(world, (stream) => arrived.resolve(stream));
    call();
    const stream = await arrived.promise;
    session.destroy();
    await once(stream, "close");
    expect(stream.rstCode).toBe(8);
  });

  it("ends an answer without a status as LinkLost, not as success", async () => {
    await using world = await World.start();
    const { call } = await rawPair(world, (stream) => {
      stream.respond({ ":status": 200 });
      stream.end("content and no trailers");
    });
    expect(errorOf(await rawAnswer(call().end()))).toBe("LinkLost");
  });

  it("holds a writer to the pace of the reader, both ways", async () => {
    await using world = await World.start();
    let sent = 0;
    const { call } = await rawPair(world, (stream) => {
      // The machine reads nothing and writes without end.
      stream.respond({ ":status": 200 });
      const write = (): void => {
        while (stream.writable && stream.write(Buffer.alloc(65_536))) sent += 65_536;
      };
      stream.on("drain", write);
      write();
    });
    const calling = call();
    let accepted = 0;
    const write = (): void => {
      while (calling.writable && calling.write(Buffer.alloc(65_536))) accepted += 65_536;
    };
    calling.on("drain", write);
    write();
    await once(calling, "response");
    const settled = async (): Promise<boolean> => {
      const before = sent + accepted;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return sent + accepted === before;
    };
    await until(settled);
    // A window and some buffers on each of the two legs, not what the writers would like.
    expect(sent).toBeLessThan(2 * 1024 * 1024);
    expect(accepted).toBeLessThan(2 * 1024 * 1024);
  });

  it("brings a whole answer to a caller that reads it slowly, though the machine has gone since", async () => {
    await using world = await World.start();
    const ended = Promise.withResolvers<ServerHttp2Stream>();
    const agent = await world.agent("raw", {
      onStream: (stream) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.once("wantTrailers", () => {
          stream.sendTrailers({ "grpc-status": "0" });
          ended.resolve(stream);
        });
        stream.end(Buffer.alloc(200_000));
      },
    });
    const session = await world.rawCaller({ initialWindowSize: 0 });
    const headers = await world.caller(await world.key()).headers("raw");
    const call = rawCall(session, READ, headers).end();
    await once(call, "response");
    await ended.promise;
    // The relay has read all that came before it answers this.
    await new Promise((resolve) => agent.session.ping(resolve));
    agent.tls.destroy();
    await until(async () => (await world.health()).links.interactive === 0);
    session.settings({ initialWindowSize: 65_535 });
    expect(await rawAnswer(call)).toMatchObject({ bytes: 200_000, trailers: { "grpc-status": "0" } });
  });

  it("does not take a machine's resets for the caller's cancels", { timeout: 120_000 }, async () => {
    await using world = await World.start({ bounds: { cancelsPerSecond: 0 } });
    const { call } = await rawPair(world, (stream, { "x-how": how }) => {
      if (how === "answer") stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      else stream.close(8);
    });
    for (let done = 0; done < CANCEL_BURST * 2; done += 200) {
      const answers = await Promise.all(Array.from({ length: 200 }, () => rawAnswer(call())));
      expect(new Set(answers.map(({ rstCode }) => rstCode))).toEqual(new Set([8]));
    }
    expect(errorOf(await rawAnswer(call(READ, { "x-how": "answer" }).end()))).toBe("status 0");
  });

  it("counts as the caller's cancels what it leaves open when it goes", { timeout: 120_000 }, async () => {
    // None is forgotten meanwhile, however slow this machine is.
    await using world = await World.start({ bounds: { cancelsPerSecond: 0 } });
    await world.agent("web-1");
    const headers = await world.caller(await world.key()).headers("web-1");
    const leave = async (): Promise<boolean> => {
      const session = await world.rawCaller();
      const calls = Array.from({ length: 1_000 }, () =>
        rawCall(session, "/cmdop.v1.Jobs/Attach", headers).end(EMPTY),
      );
      const answers = await Promise.all(calls.map((call) => once(call, "response")));
      session.destroy();
      await until(async () => (await world.health()).calls === 0);
      return answers.some(([answer]) => answer[HEADERS.error] === "LimitExceeded");
    };
    let rounds = 1;
    while (rounds < 12 && !(await leave())) rounds += 1;
    expect(rounds).toBeGreaterThan(CANCEL_BURST / 1_000);
    expect(rounds).toBeLessThan(12);
  });

  it("refuses a request over its method's bound, and lets one at it pass", async () => {
    await using world = await World.start();
    const { call } = await rawPair(world, (stream) => {
      stream.resume();
      stream.once("end", () => {
        if (!stream.closed) stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      });
    });
    const attempt = async (path: string, bytes: number) =>
      errorOf(await rawAnswer(call(path).end(Buffer.alloc(bytes))));
    for (const path of [READ, "/cmdop.v1.Exec/Start", "/cmdop.v1.Files/Write"]) {
      const maxBytes = methodRule(path)?.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES;
      expect([path, await attempt(path, maxBytes)]).toEqual([path, "status 0"]);
      expect([path, await attempt(path, maxBytes + 1)]).toEqual([path, "MessageTooLarge"]);
    }
    expect(await attempt("/cmdop.v1.Files/WriteStream", 8 * 1024 * 1024)).toBe("status 0");
  });
});
