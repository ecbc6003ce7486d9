import { EventEmitter, once } from "node:events";
import { describe, expect, it } from "vitest";
import { OutcomeKind } from "../gen/cmdop/v1/job_pb.ts";
import {
  aborted,
  type Caller,
  type Clients,
  collected,
  failure,
  output,
  repeated,
  started,
} from "../testing/services.ts";
import type { Call } from "./types.ts";

describe("the end of a call", () => {
  /** Handlers that wait for the end of their call and say so. */
  function waiting(seen: EventEmitter) {
    const note = async (call: Call<Caller>): Promise<void> => {
      seen.emit("running");
      await aborted(call.signal);
      seen.emit("aborted");
    };
    return {
      jobs: {
        async cancel(_request: unknown, call: Call<Caller>) {
          await note(call);
          return {};
        },
        async *attach(_request: unknown, call: Call<Caller>) {
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
    unary: (client: Clients, options: object) => client.jobs.cancel({}, options),
    server_streaming: (client: Clients, options: object) => collected(client.jobs.attach({}, options)),
    client_streaming: (client: Clients, options: object) => client.files.writeStream(repeated({}), options),
    bidi_streaming: (client: Clients, options: object) => collected(client.jobs.input(repeated({}), options)),
  };

  it.each(Object.entries(CALLS))(
    "%s: AbortSignal cancels it, and the handler's signal aborts",
    async (_name, call) => {
      const seen = new EventEmitter();
      const { jobs, files } = waiting(seen);
      await using client = await started(jobs, files);
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
      const { jobs, files } = waiting(seen);
      await using client = await started(jobs, files);
      const abortSeen = once(seen, "aborted");
      expect((await failure(call(client, { timeoutMs: 200 }))).code).toBe("DeadlineExceeded");
      await abortSeen;
    },
  );

  it.each(["attach", "input"])("%s: a reader that leaves early cancels it", async (name) => {
    const seen = new EventEmitter();
    const { jobs, files } = waiting(seen);
    await using client = await started(jobs, files);
    const abortSeen = once(seen, "aborted");
    const stream = name === "attach" ? client.jobs.attach({}) : client.jobs.input(repeated({}));
    for await (const _ of stream) break;
    await abortSeen;
  });

  it.each(["writeStream", "input"])(
    "%s: what the request iterable throws is what the caller gets",
    async (name) => {
      const seen = new EventEmitter();
      const { jobs, files } = waiting(seen);
      await using client = await started(jobs, files);
      const [running, abortSeen] = [once(seen, "running"), once(seen, "aborted")];
      const broken = (async function* () {
        yield {};
        await running;
        throw new RangeError("the source broke");
      })();
      const call = name === "input" ? collected(client.jobs.input(broken)) : client.files.writeStream(broken);
      await expect(call).rejects.toThrow(new RangeError("the source broke"));
      await abortSeen;
    },
  );

  it("a handler that rejects after its caller has gone harms nobody", async () => {
    const seen = new EventEmitter();
    await using client = await started({
      async *attach(_request, { signal }) {
        yield output(0, 1);
        await aborted(signal);
        seen.emit("late");
        throw new Error("too late for anyone to hear");
      },
      cancel: async () => ({ outcome: { kind: OutcomeKind.CANCELED } }),
    });
    const late = once(seen, "late");
    for await (const _ of client.jobs.attach({})) break;
    await late;
    expect((await client.jobs.cancel({})).outcome?.kind).toBe(OutcomeKind.CANCELED);
  });

  it("a response stream that is never read never starts", async () => {
    let ran = false;
    await using client = await started({
      async *attach() {
        ran = true;
        yield output(0, 1);
      },
      list: async () => ({}),
    });
    client.jobs.attach({});
    await client.jobs.list({});
    expect(ran).toBe(false);
  });

  it("a long-lived signal keeps no listener of a call that is over", async () => {
    await using client = await started({
      list: async () => ({}),
      async *attach() {
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
    await client.jobs.list({}, { signal });
    await collected(client.jobs.attach({}, { signal }));
    expect(listeners).toBe(0);
  });
});
