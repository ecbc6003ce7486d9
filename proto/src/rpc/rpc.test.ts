import { EventEmitter, once } from "node:events";
import { Server } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import { Exec } from "../gen/cmdop/v1/exec_pb.ts";
import { Files, type FilesWriteStreamRequest } from "../gen/cmdop/v1/files_pb.ts";
import { Channel, OutcomeKind } from "../gen/cmdop/v1/job_pb.ts";
import { MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { grpcLoopback } from "../testing/grpc-loopback.ts";
import { createClient } from "./client.ts";
import { serve } from "./server.ts";
import type { Admit, Call, Handlers } from "./types.ts";

interface Caller {
  readonly name: string;
}

const unused = (): never => {
  throw new CmdopError("Unimplemented", "not in this test");
};

const admitAnyone: Admit<Caller> = async ({ header }) => ({ name: header("x-cmdop-machine") ?? "nobody" });

/** A real server and its two clients, with only the handlers that a test is about: one service for three kinds of call, one for the fourth. */
async function started(
  exec: Partial<Handlers<typeof Exec, Caller>>,
  files: Partial<Handlers<typeof Files, Caller>> = {},
  admit: Admit<Caller> = admitAnyone,
) {
  const server = new Server();
  serve(server, Exec, admit, {
    start: unused,
    attach: unused,
    input: unused,
    cancel: unused,
    signal: unused,
    list: unused,
    ...exec,
  });
  serve(server, Files, admit, {
    list: unused,
    read: unused,
    write: unused,
    delete: unused,
    copy: unused,
    move: unused,
    mkdir: unused,
    info: unused,
    readStream: unused,
    writeStream: unused,
    ...files,
  });
  const loopback = await grpcLoopback(server);
  return {
    exec: createClient(Exec, () => loopback.channel),
    files: createClient(Files, () => loopback.channel),
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
}

const output = (offset: number, bytes: number) => ({
  event: {
    offset: BigInt(offset),
    kind: { case: "output" as const, value: { channel: Channel.STDOUT, data: new Uint8Array(bytes) } },
  },
});

const failure = (promise: Promise<unknown>): Promise<CmdopError> =>
  promise.then(
    () => Promise.reject(new Error("it did not fail")),
    (thrown: unknown) => (thrown instanceof CmdopError ? thrown : Promise.reject(thrown)),
  );

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Resolves when the signal has aborted. */
const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : once(signal, "abort");

/** The four kinds of call, each against a handler that throws; how each fails is the same. */
const KINDS = {
  unary: (thrower: () => never) => ({
    handlers: { cancel: async () => thrower() },
    call: (client: Awaited<ReturnType<typeof started>>, options = {}) => client.exec.cancel({}, options),
  }),
  server_streaming: (thrower: () => never) => ({
    handlers: {
      async *start() {
        yield output(0, 1);
        thrower();
      },
    },
    call: (client: Awaited<ReturnType<typeof started>>, options = {}) =>
      collected(client.exec.start({}, options)),
  }),
  bidi_streaming: (thrower: () => never) => ({
    handlers: {
      async *input(requests: AsyncIterable<unknown>) {
        for await (const _ of requests) {
          yield { accepted: 1n };
          thrower();
        }
      },
    },
    call: (client: Awaited<ReturnType<typeof started>>, options = {}) =>
      collected(client.exec.input(repeated({}), options)),
  }),
  client_streaming: (thrower: () => never) => ({
    files: {
      async writeStream(requests: AsyncIterable<unknown>) {
        for await (const _ of requests) thrower();
        return {};
      },
    },
    call: (client: Awaited<ReturnType<typeof started>>, options = {}) =>
      client.files.writeStream(repeated({}), options),
  }),
};

/** The same message for ever, a turn of the event loop apart. */
async function* repeated<T>(message: T): AsyncGenerator<T> {
  for (;;) {
    yield message;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.each(Object.entries(KINDS))("a %s call", (_name, kind) => {
  const startedWith = (thrower: () => never, admit?: Admit<Caller>) => {
    const { handlers, files } = { handlers: {}, files: {}, ...kind(thrower) };
    return started(handlers, files, admit);
  };
  const { call } = kind(unused);

  it("fails with the very error that its handler threw", async () => {
    await using client = await startedWith(() => {
      throw new CmdopError("NoSpace", "The disk is full: /ü?\n100 %", { next: "Free a/b" });
    });
    expect(await failure(call(client))).toMatchObject({
      code: "NoSpace",
      message: "The disk is full: /ü?\n100 %",
      next: "Free a/b",
    });
  });

  it("fails with Internal when its handler throws anything else", async () => {
    await using client = await startedWith(() => {
      throw new TypeError("x is undefined");
    });
    expect(await failure(call(client))).toMatchObject({ code: "Internal", message: "x is undefined" });
  });

  it("carries an error text of 100 KB with a broken surrogate, cut to its bound, and the connection lives on", async () => {
    let huge = true;
    await using client = await startedWith(() => {
      throw new CmdopError("NotFound", huge ? `\ud800${"é\n".repeat(50_000)}` : "short");
    });
    const error = await failure(call(client));
    expect(error.code).toBe("NotFound");
    expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(MAX_STATUS_MESSAGE_BYTES + 6);
    huge = false;
    expect((await failure(call(client))).message).toBe("short");
  });

  it("is refused by the gate before its handler runs", async () => {
    let ran = false;
    await using client = await startedWith(
      () => {
        ran = true;
        return unused();
      },
      async ({ path }) => {
        throw new CmdopError("PermissionDenied", `no ${path}`);
      },
    );
    expect(await failure(call(client))).toMatchObject({
      code: "PermissionDenied",
      message: expect.stringMatching(/^no \/cmdop\.v1\./),
    });
    expect(ran).toBe(false);
  });

  it("ends Canceled for a signal that aborted before it began", async () => {
    await using client = await startedWith(unused);
    expect((await failure(call(client, { signal: AbortSignal.abort() }))).code).toBe("Canceled");
  });

  it("refuses a header that HTTP can't carry", async () => {
    await using client = await startedWith(unused);
    expect((await failure(call(client, { headers: { "x-cmdop-machine": "a\nb" } }))).code).toBe(
      "InvalidArgument",
    );
  });
});

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
    const { outcome } = await client.exec.cancel({ jobId: "j1" }, { headers });
    expect(outcome?.reason).toBe("j1 of web-1");

    const three = async function* () {
      yield { header: { path: "/p" } };
      yield { data: Buffer.of(1) };
      yield { finish: { size: 1n } };
    };
    const { entry } = await client.files.writeStream(three(), { headers });
    expect(entry).toMatchObject({ name: "web-1", size: 3n });
    expect(arrivals).toMatchObject([
      ["/cmdop.v1.Exec/Cancel", { jobId: "j1" }, undefined],
      ["/cmdop.v1.Files/WriteStream", { header: { path: "/p" } }, undefined],
    ]);
  });

  it.each(["writeStream", "input"])("%s without a first message is InvalidArgument", async (name) => {
    await using client = await started({ input: unused }, { writeStream: unused });
    const nothing = ReadableStream.from<object>([]);
    const call = name === "input" ? collected(client.exec.input(nothing)) : client.files.writeStream(nothing);
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

describe("backpressure", () => {
  const MESSAGES = 1_000;
  const MESSAGE_BYTES = 64 * 1024;
  /** Far above what one stream's default window and buffers take (about 10 messages), far below all. */
  const MAX_AHEAD = 100;

  it("a slow reader of a server stream stops the handler, and loses nothing", async () => {
    let made = 0;
    await using client = await started({
      async *start() {
        for (; made < MESSAGES; made++) yield output(made, MESSAGE_BYTES);
      },
      list: async () => ({}),
    });
    const events = client.exec.start({})[Symbol.asyncIterator]();
    expect((await events.next()).value?.event?.offset).toBe(0n);
    // Each of these takes longer than the handler needs for many messages.
    for (let round = 0; round < 50; round++) await client.exec.list({});
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
    for (let round = 0; round < 50; round++) await client.exec.list({});
    expect(made).toBeLessThan(MAX_AHEAD);
    gate.emit("open");
    expect((await sending).entry?.size).toBe(BigInt(MESSAGES));
  });
});

describe("the end of a call", () => {
  /** Handlers that wait for the end of their call and say so. */
  function waiting(seen: EventEmitter) {
    const note = async (call: Call<Caller>): Promise<void> => {
      seen.emit("running");
      await aborted(call.signal);
      seen.emit("aborted");
    };
    return {
      exec: {
        async cancel(_request: unknown, call: Call<Caller>) {
          await note(call);
          return {};
        },
        async *start(_request: unknown, call: Call<Caller>) {
          yield output(0, 1);
          await note(call);
        },
        async *input(_requests: unknown, call: Call<Caller>) {
          yield { accepted: 0n };
          await note(call);
        },
      },
      files: {
        async writeStream(_requests: unknown, call: Call<Caller>) {
          await note(call);
          return {};
        },
      },
    };
  }

  const CALLS = {
    unary: (client: Awaited<ReturnType<typeof started>>, options: object) => client.exec.cancel({}, options),
    server_streaming: (client: Awaited<ReturnType<typeof started>>, options: object) =>
      collected(client.exec.start({}, options)),
    client_streaming: (client: Awaited<ReturnType<typeof started>>, options: object) =>
      client.files.writeStream(repeated({}), options),
    bidi_streaming: (client: Awaited<ReturnType<typeof started>>, options: object) =>
      collected(client.exec.input(repeated({}), options)),
  };

  it.each(Object.entries(CALLS))(
    "%s: AbortSignal cancels it, and the handler's signal aborts",
    async (_name, call) => {
      const seen = new EventEmitter();
      const { exec, files } = waiting(seen);
      await using client = await started(exec, files);
      const controller = new AbortController();
      const [running, abortSeen] = [once(seen, "running"), once(seen, "aborted")];
      const outcome = failure(call(client, { signal: controller.signal }));
      await running;
      controller.abort();
      expect((await outcome).code).toBe("Canceled");
      await abortSeen;
    },
  );

  it.each(Object.entries(CALLS))(
    "%s: its deadline ends it, and the handler's signal aborts",
    async (_name, call) => {
      const seen = new EventEmitter();
      const { exec, files } = waiting(seen);
      await using client = await started(exec, files);
      const abortSeen = once(seen, "aborted");
      expect((await failure(call(client, { timeoutMs: 200 }))).code).toBe("DeadlineExceeded");
      await abortSeen;
    },
  );

  it.each(["start", "input"])("%s: a reader that leaves early cancels it", async (name) => {
    const seen = new EventEmitter();
    const { exec, files } = waiting(seen);
    await using client = await started(exec, files);
    const abortSeen = once(seen, "aborted");
    const stream = name === "start" ? client.exec.start({}) : client.exec.input(repeated({}));
    for await (const _ of stream) break;
    await abortSeen;
  });

  it.each(["writeStream", "input"])(
    "%s: what the request iterable throws is what the caller gets",
    async (name) => {
      const seen = new EventEmitter();
      const { exec, files } = waiting(seen);
      await using client = await started(exec, files);
      const [running, abortSeen] = [once(seen, "running"), once(seen, "aborted")];
      const broken = (async function* () {
        yield {};
        await running;
        throw new RangeError("the source broke");
      })();
      const call = name === "input" ? collected(client.exec.input(broken)) : client.files.writeStream(broken);
      await expect(call).rejects.toThrow(new RangeError("the source broke"));
      await abortSeen;
    },
  );

  it("a handler that rejects after its caller has gone harms nobody", async () => {
    const seen = new EventEmitter();
    await using client = await started({
      async *start(_request, { signal }) {
        yield output(0, 1);
        await aborted(signal);
        seen.emit("late");
        throw new Error("too late for anyone to hear");
      },
      cancel: async () => ({ outcome: { kind: OutcomeKind.CANCELED } }),
    });
    const late = once(seen, "late");
    for await (const _ of client.exec.start({})) break;
    await late;
    expect((await client.exec.cancel({})).outcome?.kind).toBe(OutcomeKind.CANCELED);
  });

  it("a response stream that is never read never starts", async () => {
    let ran = false;
    await using client = await started({
      async *start() {
        ran = true;
        yield output(0, 1);
      },
      list: async () => ({}),
    });
    client.exec.start({});
    await client.exec.list({});
    expect(ran).toBe(false);
  });

  it("a long-lived signal keeps no listener of a call that is over", async () => {
    await using client = await started({
      list: async () => ({}),
      async *start() {
        yield output(0, 1);
      },
    });
    const controller = new AbortController();
    let listeners = 0;
    const signal = new Proxy(controller.signal, {
      get(target, name) {
        if (name === "addEventListener") listeners++;
        if (name === "removeEventListener") listeners--;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await client.exec.list({}, { signal });
    await collected(client.exec.start({}, { signal }));
    expect(listeners).toBe(0);
  });
});
