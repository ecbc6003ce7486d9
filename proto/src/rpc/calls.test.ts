import { EventEmitter, once } from "node:events";
import { describe, expect, it } from "vitest";
import type { FilesWriteStreamRequest } from "../gen/cmdop/v1/files_pb.ts";
import { admitAnyone, collected, failure, output, repeated, started, unused } from "../testing/services.ts";

describe("what the gate and the handler see", () => {
  it("path, headers, the first message; and the caller that the gate found", async () => {
    const arrivals: unknown[] = [];
    await using client = await started(
      {
        cancel: async (request, { caller }) => ({
          outcome: { reason: `${request.jobId} of ${caller.name}` },
        }),
      },
      {
        async writeStream(requests, { caller }) {
          const all = await collected(requests);
          return { entry: { name: caller.name, size: BigInt(all.length) } };
        },
      },
      async (arrival) => {
        arrivals.push([arrival.path, arrival.request, arrival.header("absent")]);
        return admitAnyone(arrival);
      },
    );
    const headers = { "x-cmdop-machine": "web-1" };
    const { outcome } = await client.jobs.cancel({ jobId: "j1" }, { headers });
    expect(outcome?.reason).toBe("j1 of web-1");

    const three = async function* () {
      yield { header: { path: "/p" } };
      yield { data: Buffer.of(1) };
      yield { finish: { size: 1n } };
    };
    const { entry } = await client.files.writeStream(three(), { headers });
    expect(entry).toMatchObject({ name: "web-1", size: 3n });
    expect(arrivals).toMatchObject([
      ["/cmdop.v1.Jobs/Cancel", { jobId: "j1" }, undefined],
      ["/cmdop.v1.Files/WriteStream", { header: { path: "/p" } }, undefined],
    ]);
  });

  it.each(["writeStream", "input"])("%s without a first message is InvalidArgument", async (name) => {
    await using client = await started({ input: unused }, { writeStream: unused });
    const nothing = ReadableStream.from<object>([]);
    const call = name === "input" ? collected(client.jobs.input(nothing)) : client.files.writeStream(nothing);
    expect(await failure(call)).toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("before its first message"),
    });
  });

  it("a handler that answers before its caller has finished sending ends the call", async () => {
    await using client = await started({}, { writeStream: async () => ({ entry: { name: "early" } }) });
    const { entry } = await client.files.writeStream(repeated({ data: new Uint8Array(60_000) }));
    expect(entry?.name).toBe("early");
  });
});

it("an answer with more bytes than its caller takes is MessageTooLarge, and is not read", async () => {
  await using client = await started({}, { read: async () => ({ content: Buffer.alloc(1_000) }) });
  const read = (maxAnswerBytes: number) => client.files.read({}, { maxAnswerBytes });
  expect((await read(2_000)).content).toHaveLength(1_000);
  expect((await failure(read(1_000))).code).toBe("MessageTooLarge");
});

describe("backpressure", () => {
  const MESSAGES = 1_000;
  const MESSAGE_BYTES = 64 * 1024;
  /** Far above what one stream's default window and buffers take (about 10 messages), far below all. */
  const MAX_AHEAD = 100;

  it("a slow reader of a server stream stops the handler, and loses nothing", async () => {
    let made = 0;
    await using client = await started({
      async *attach() {
        for (; made < MESSAGES; made++) yield output(made, MESSAGE_BYTES);
      },
      list: async () => ({}),
    });
    const events = client.jobs.attach({})[Symbol.asyncIterator]();
    expect((await events.next()).value?.event?.offset).toBe(0n);
    // Each of these takes longer than the handler needs for many messages.
    for (let round = 0; round < 50; round++) await client.jobs.list({});
    expect(made).toBeLessThan(MAX_AHEAD);
    for (let expected = 1; expected < MESSAGES; expected++) {
      expect((await events.next()).value?.event?.offset).toBe(BigInt(expected));
    }
    expect((await events.next()).done).toBe(true);
  });

  it("a slow reader of a request stream stops its sender, and loses nothing", async () => {
    let made = 0;
    const gate = new EventEmitter();
    const opened = once(gate, "open");
    await using client = await started(
      { list: async () => ({}) },
      {
        async writeStream(requests) {
          await opened;
          const all: FilesWriteStreamRequest[] = await collected(requests);
          return { entry: { size: BigInt(all.length) } };
        },
      },
    );
    const sending = client.files.writeStream(
      (async function* () {
        for (; made < MESSAGES; made++) yield { data: new Uint8Array(MESSAGE_BYTES) };
      })(),
    );
    for (let round = 0; round < 50; round++) await client.jobs.list({});
    expect(made).toBeLessThan(MAX_AHEAD);
    gate.emit("open");
    expect((await sending).entry?.size).toBe(BigInt(MESSAGES));
  });
});
