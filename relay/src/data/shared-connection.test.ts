import { once } from "node:events";
import { codec, Files, generateKeyPair } from "@cmdop/proto";
import { expect, it } from "vitest";
import { frame } from "../testing/fake-agent.ts";
import { rawAnswer, rawCall } from "../testing/raw-call.ts";
import { startTcpProxy } from "../testing/tcp-proxy.ts";
import { until, World } from "../testing/world.ts";

const MiB = 1024 * 1024;
const READ_STREAM = "/cmdop.v1.Files/ReadStream";

/** An empty gRPC message. */
const EMPTY = Buffer.alloc(5);

it("content that one key does not read on a shared connection is not another key's, though that one opened it", async () => {
  const times = { callerPingIntervalMs: 200, callerDeadAfterMs: 2_000 };
  await using world = await World.start({ times, bounds: { heldBytesPerKey: 8 * MiB } });
  const machineKey = generateKeyPair();
  const { bootId } = await world.agent("web-1", { machineKey });
  await world.agent("web-1", { machineKey, bootId, lane: "download", joinToken: "" });
  const [opener, reader] = [await world.key(), await world.key()];
  const wire = await startTcpProxy(world.relay.port);
  world.defer(() => wire.close());
  const shared = await world.rawCaller({ initialWindowSize: 2 ** 30 }, await wire.socket());
  shared.setLocalWindowSize(2 ** 30);
  const whoAmI = await world.caller(opener).headers();
  await rawAnswer(rawCall(shared, "/cmdop.relay.v1.Keys/WhoAmI", whoAmI).end(EMPTY));
  const reading = rawCall(shared, READ_STREAM, await world.caller(reader).headers("web-1"));
  reading.end(frame(codec(Files.method.readStream.input).serialize({ path: "/100000" })));
  await once(reading, "response");

  // Of the opener, just below the bound: with any of what the reader leaves unread it would be above.
  const own = await world.rawCaller();
  const headers = await world.caller(opener).headers("web-1");
  const calls = Array.from({ length: 3 }, () => rawCall(own, "/cmdop.v1.Files/Write", headers));
  // A message of 4 MiB begins like this.
  const half = Buffer.concat([Buffer.of(0, 0, 64, 0, 0), Buffer.alloc(2 * MiB)]);
  await Promise.all(calls.map((call) => new Promise((resolve) => call.write(half, resolve))));
  wire.pause();
  // The reader's call goes when it is found to hold too much; its reset can't reach the reader before the wire resumes.
  await until(async () => (await world.health()).calls === calls.length);
  expect(calls.map(({ closed }) => closed)).not.toContain(true);
  wire.resume();
  // Its connection may be reset by then, which is an end as good as any.
  await new Promise((resolve) => (reading.closed ? resolve(0) : reading.once("close", resolve)));
  expect(calls.map(({ closed }) => closed)).not.toContain(true);
});
