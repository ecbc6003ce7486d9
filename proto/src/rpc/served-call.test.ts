import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import type { Files } from "../gen/cmdop/v1/files_pb.ts";
import { admitAnyone, type Caller, type Clients, failure, repeated, started } from "../testing/services.ts";
import { mayHaveRun } from "./broken-call.ts";
import type { ServedCall, WatchCall } from "./served-call.ts";
import type { Admit, Handlers } from "./types.ts";

const KiB = 1024;
const MAX_WINDOW_BYTES = 256 * KiB;
const tooMuch = () => new CmdopError("LimitExceeded", "too much is held");

/** Keeps the calls that are open. */
function watching(refusal?: () => CmdopError) {
  const calls = new Set<ServedCall>();
  const watch: WatchCall = (call) => {
    calls.add(call);
    return {
      begin: () => {
        if (refusal !== undefined) throw refusal();
      },
      end: () => calls.delete(call),
    };
  };
  const only = (): ServedCall => {
    const [call] = calls;
    if (call === undefined || calls.size > 1) throw new Error(`${calls.size} calls are open`);
    return call;
  };
  return { calls, watch, only };
}

type FilesHandlers = Partial<Handlers<typeof Files, Caller>>;

/** A file's content that a handler has been given, and what it waits for. */
function stuck() {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const write: FilesHandlers["write"] = async () => {
    begun.resolve();
    await goOn.promise;
    return {};
  };
  return { write, begun: begun.promise, goOn: goOn.resolve };
}

/** The stream of a call by hand. */
function opened({ channel }: Clients, path: string): Promise<ClientHttp2Stream> {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  return channel.open(headers, new AbortController().signal);
}

const content = new Uint8Array(100 * KiB);

describe("promise 9: what a call makes us hold is known, and can be dropped", () => {
  it("while its first message is not whole", async () => {
    const { watch, only, calls } = watching();
    const { write } = stuck();
    await using client = await started({}, { write }, admitAnyone, watch);
    const stream = await opened(client, "/cmdop.v1.Files/Write");
    // A message of 4 MiB begins like this.
    stream.write(Buffer.concat([Buffer.of(0, 0, 64, 0, 0), Buffer.alloc(1000)]));
    await expect.poll(() => calls.size === 1 && only().heldBytes()).toBe(1000);
    expect(only().canBeDropped()).toBe(true);
    const answered = once(stream, "response");
    only().drop(tooMuch());
    const [headers] = await answered;
    expect(headers).toMatchObject({
      "x-cmdop-error": "LimitExceeded",
      "grpc-message": "too%20much%20is%20held",
    });
    await expect.poll(() => calls.size).toBe(0);
  });

  it("while it is not let in: its handler never runs, not even where it is let in just then", async () => {
    const { watch, only, calls } = watching();
    const gate = Promise.withResolvers<void>();
    const codes: string[] = [];
    const admit: Admit<Caller> = async () => {
      await gate.promise;
      return { caller: { name: "" }, onEnd: (code) => codes.push(code) };
    };
    let ran = false;
    const writeStream: FilesHandlers["writeStream"] = async () => {
      ran = true;
      return {};
    };
    await using client = await started({}, { writeStream }, admit, watch);
    const failed = failure(client.files.writeStream(repeated({ data: content })));
    // All that the window lets through, which nobody reads.
    await expect.poll(() => calls.size === 1 && only().heldBytes()).toBeGreaterThan(MAX_WINDOW_BYTES * 0.9);
    const call = only();
    call.drop(tooMuch());
    gate.resolve();
    const error = await failed;
    expect(error).toMatchObject({ code: "LimitExceeded", message: "too much is held" });
    expect(mayHaveRun(error)).toBe(false);
    await expect.poll(() => calls.size).toBe(0);
    expect(call.heldBytes()).toBeLessThan(2 * content.length);
    expect([ran, codes]).toEqual([false, ["LimitExceeded"]]);
  });

  it("while its handler does not read: that hears of it when it does, and the caller at once", async () => {
    const { watch, only, calls } = watching();
    const goOn = Promise.withResolvers<void>();
    const heard = Promise.withResolvers<unknown>();
    const writeStream: FilesHandlers["writeStream"] = async (requests) => {
      await goOn.promise;
      try {
        for await (const _ of requests);
      } catch (thrown) {
        heard.resolve(thrown);
        throw thrown;
      }
      return {};
    };
    await using client = await started({}, { writeStream }, admitAnyone, watch);
    const failed = failure(client.files.writeStream(repeated({ data: content })));
    await expect.poll(() => calls.size === 1 && only().heldBytes()).toBeGreaterThan(MAX_WINDOW_BYTES * 0.9);
    only().drop(tooMuch());
    const error = await failed;
    // What it has done by now nobody knows: no word that would have it sent again.
    expect([error.code, mayHaveRun(error)]).toEqual(["LimitExceeded", true]);
    // Its handler goes on, with one message at most.
    expect(only().heldBytes()).toBeLessThan(2 * content.length);
    expect(only().canBeDropped()).toBe(false);
    goOn.resolve();
    expect(await heard.promise).toMatchObject({ code: "LimitExceeded" });
    await expect.poll(() => calls.size).toBe(0);
  });

  it("by a reset where an answer that nobody reads is in the way", async () => {
    const { watch, only, calls } = watching();
    const input = async function* () {
      for (;;) yield { accepted: 1n };
    };
    await using client = await started({ input }, {}, admitAnyone, watch);
    const stream = await opened(client, "/cmdop.v1.Jobs/Input");
    stream.pause();
    stream.write(Buffer.concat([Buffer.alloc(5), Buffer.of(0, 0, 64, 0, 0), Buffer.alloc(1000)]));
    await expect
      .poll(() => calls.size === 1 && only().heldBytes() >= 1000 && stream.readableLength > 0)
      .toBe(true);
    const over = once(stream, "close");
    // Once no more fits.
    let before = -1;
    await expect
      .poll(() => {
        const same = before === stream.readableLength;
        before = stream.readableLength;
        return same;
      })
      .toBe(true);
    only().drop(tooMuch());
    await over.catch(() => undefined);
    expect(stream.rstCode).toBe(11);
    await expect.poll(() => calls.size).toBe(0);
  });

  it("but not when its handler has all of it: that is carried out, and told so", async () => {
    const { watch, only } = watching();
    const { write, begun, goOn } = stuck();
    await using client = await started({}, { write }, admitAnyone, watch);
    const answer = client.files.write({ path: "/x", content });
    await begun;
    expect(only().heldBytes()).toBeGreaterThanOrEqual(content.length);
    expect(only().canBeDropped()).toBe(false);
    goOn();
    await answer;
  });

  it("nor when its handler has read all of it and commits: no memory of it is kept for what can't come", async () => {
    const { watch, only } = watching();
    const read = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const writeStream: FilesHandlers["writeStream"] = async (requests) => {
      for await (const { finish } of requests) if (finish !== undefined) break;
      read.resolve();
      await goOn.promise;
      return {};
    };
    await using client = await started({}, { writeStream }, admitAnyone, watch);
    const answer = client.files.writeStream(
      (async function* () {
        yield { data: content };
        yield { data: content };
        yield { finish: { size: 0n, sha256: new Uint8Array(32) } };
      })(),
    );
    await read.promise;
    await expect.poll(() => only().canBeDropped()).toBe(false);
    expect(only().heldBytes()).toBeLessThan(1000);
    goOn.resolve();
    await answer;
  });

  it("and what it keeps for the next message is freed with it, though its caller sends nothing more", async () => {
    const { watch, only } = watching();
    const seen = Promise.withResolvers<void>();
    const writeStream: FilesHandlers["writeStream"] = async (requests) => {
      for await (const { finish } of requests) if (finish !== undefined) seen.resolve();
      return {};
    };
    await using client = await started({}, { writeStream }, admitAnyone, watch);
    const failed = failure(
      client.files.writeStream(
        (async function* () {
          yield { data: content };
          yield { finish: { size: 0n, sha256: new Uint8Array(32) } };
          await new Promise(() => undefined);
        })(),
      ),
    );
    await seen.promise;
    await expect.poll(() => only().heldBytes()).toBeGreaterThanOrEqual(content.length);
    expect(only().canBeDropped()).toBe(true);
    only().drop(tooMuch());
    expect(mayHaveRun(await failed)).toBe(true);
  });

  it("also when its caller has left, as long as its handler works on it; what was not read goes at once", async () => {
    const { watch, only, calls } = watching();
    const goOn = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const writeStream: FilesHandlers["writeStream"] = async () => {
      begun.resolve();
      await goOn.promise;
      return {};
    };
    await using client = await started({}, { writeStream }, admitAnyone, watch);
    const leave = new AbortController();
    const failed = failure(client.files.writeStream(repeated({ data: content }), { signal: leave.signal }));
    await begun.promise;
    await expect.poll(() => only().heldBytes()).toBeGreaterThan(2.5 * content.length);
    leave.abort();
    expect((await failed).code).toBe("Canceled");
    // The message that it has, and the next.
    await expect.poll(() => only().heldBytes()).toBeLessThan(2.1 * content.length);
    goOn.resolve();
    await expect.poll(() => calls.size).toBe(0);
  });

  it("and none is begun where the watch refuses", async () => {
    const { watch, calls } = watching(tooMuch);
    const codes: string[] = [];
    const admit: Admit<Caller> = async () => ({ caller: { name: "" }, onEnd: (code) => codes.push(code) });
    const { write } = stuck();
    await using client = await started({}, { write }, admit, watch);
    expect((await failure(client.files.write({ path: "/x", content }))).code).toBe("LimitExceeded");
    expect(codes).toEqual(["LimitExceeded"]);
    await expect.poll(() => calls.size).toBe(0);
  });
});
