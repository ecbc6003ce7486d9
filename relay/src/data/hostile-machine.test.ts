import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { duplexPair } from "node:stream";
import { DrainingDuplex, generateKeyPair } from "@cmdop/proto";
import { describe, expect, it, onTestFinished } from "vitest";
import { dialHostileAgent, literal } from "../testing/hostile-agent.ts";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { refusal, until, World } from "../testing/world.ts";
import { proxy } from "./proxy.ts";
import type { CallEnding } from "./recorder.ts";

const READ = "/cmdop.v1.Files/Read";

/** An empty gRPC message. */
const EMPTY = Buffer.alloc(5);

/** A machine that answers with frames by hand, and a raw caller of it. */
async function hostilePair(
  world: World,
  answers: Pick<Parameters<typeof dialHostileAgent>[0], "answer" | "trailers">,
) {
  const joinToken = await world.joinToken({ name: "hostile" });
  const identity = { machineKey: generateKeyPair(), joinToken, bootId: crypto.randomUUID() };
  world.defer(await dialHostileAgent({ relay: world.target, ...identity, ...answers }));
  await until(async () => (await world.health()).links.interactive === 1);
  const session = await world.rawCaller();
  const headers = await world.caller(await world.key()).headers("hostile");
  return { call: () => rawCall(session, READ, headers) };
}

/** Both ends of a connection in memory. */
function http2Pair(): [ClientHttp2Session, ServerHttp2Session] {
  const [near, far] = duplexPair();
  const client = connect("http://peer", { createConnection: () => near }).on("error", () => undefined);
  const server = performServerHandshake(new DrainingDuplex(far)).on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
    server.destroy();
  });
  return [client, server];
}

describe("a machine that answers what can't be passed on", () => {
  it.each<[string, Buffer[], Buffer?]>([
    ["a status that Node does not send", [literal(":status", "999")]],
    ["a header that belongs to one connection", [literal(":status", "200"), literal("te", "gzip")]],
    ["trailers that belong to one connection", [literal(":status", "200")], literal("te", "gzip")],
    ["no status", [literal("x-a", "b")]],
    ["garbage for HPACK", [Buffer.from("ffffffffffffffffff", "hex")]],
  ])("survives a machine that answers with %s", async (_what, blocks, trailers) => {
    await using world = await World.start();
    const machineKey = generateKeyPair();
    const joinToken = await world.joinToken({ name: "hostile" });
    const close = await dialHostileAgent({
      relay: world.target,
      machineKey,
      joinToken,
      bootId: crypto.randomUUID(),
      answer: Buffer.concat(blocks),
      trailers,
    });
    world.defer(close);
    await world.agent("web-1");
    await until(async () => (await world.health()).links.interactive === 2);
    const caller = world.caller(await world.key());
    expect(
      await refusal(caller.files.info({ path: "/" }, { headers: await caller.headers("hostile") })),
    ).not.toBe("no error");
    await caller.files.info({ path: "/" }, { headers: await caller.headers("web-1") });
  });

  it.each(
    ["204", "205", "304", "404", "999"].flatMap((status) => [
      [status, "alone", undefined] as const,
      [status, "with content to come", literal("grpc-status", "0")] as const,
    ]),
  )("refuses a machine's answer of status %s, %s", async (status, _how, trailers) => {
    await using world = await World.start();
    const { call } = await hostilePair(world, { answer: literal(":status", status), trailers });
    const answer = await rawAnswer(call().end(EMPTY));
    expect(errorOf(answer)).toBe("Internal");
    expect(answer.headers[":status"]).toBe(200);
  });

  it("does not keep a caller that goes on sending", async () => {
    const { call, opened } = piped((stream) => stream.respond({ ":status": 200 }));
    call.write(EMPTY);
    await once(call, "response");
    // HTTP/2 below lets no such trailers in; should that ever change, they come like this.
    (await opened).emit("trailers", { te: "gzip" }, 0);
    expect(errorOf(await rawAnswer(call))).toBe("Internal");
  });

  it.each([
    ["Canceled", constants.NGHTTP2_CANCEL],
    ["LimitExceeded", constants.NGHTTP2_ENHANCE_YOUR_CALM],
    ["LinkLost", constants.NGHTTP2_INTERNAL_ERROR],
  ])(
    "promise 8: a call that it breaks off is recorded as %s, as its caller hears it",
    async (code, reset) => {
      const { call, ended } = piped((stream) => stream.close(reset));
      call.on("error", () => undefined);
      call.write(EMPTY);
      expect((await ended).code).toBe(code);
    },
  );
});

/** A call through the relay to a machine that answers like this; the call upstream, and what is recorded at its end. */
function piped(answer: (stream: ServerHttp2Stream) => void) {
  const [link, machine] = http2Pair();
  machine.on("stream", (stream) => answer(stream.on("error", () => undefined)));
  const [session, front] = http2Pair();
  const opened = Promise.withResolvers<ClientHttp2Stream>();
  const ended = Promise.withResolvers<CallEnding>();
  front.on("stream", (caller) => {
    caller.on("error", () => undefined);
    const upstream = {
      open(headers: OutgoingHttpHeaders, signal: AbortSignal) {
        const request = link.request(headers, { signal, endStream: false });
        opened.resolve(request);
        return request;
      },
      carry: () => () => undefined,
      lost: () => undefined,
    };
    const headers = { ":method": "POST" };
    const told = { onHold: () => undefined, onEnd: ended.resolve };
    proxy({ caller, upstream, headers, maxRequestBytes: Number.POSITIVE_INFINITY, ...told });
  });
  const call = rawCall(session, "/cmdop.v1.Files/WriteStream", {});
  return { call, opened: opened.promise, ended: ended.promise };
}
