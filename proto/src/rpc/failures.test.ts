import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import { MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import {
  type Caller,
  type Clients,
  collected,
  failure,
  output,
  repeated,
  started,
  unused,
} from "../testing/services.ts";
import type { Admit } from "./types.ts";

/** The four kinds of call, each against a handler that throws; how each fails is the same. */
const KINDS = {
  unary: (thrower: () => never) => ({
    handlers: { cancel: async () => thrower() },
    call: (client: Clients, options = {}) => client.jobs.cancel({}, options),
  }),
  server_streaming: (thrower: () => never) => ({
    handlers: {
      async *attach() {
        yield output(0, 1);
        thrower();
      },
    },
    call: (client: Clients, options = {}) => collected(client.jobs.attach({}, options)),
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
    call: (client: Clients, options = {}) => collected(client.jobs.input(repeated({}), options)),
  }),
  client_streaming: (thrower: () => never) => ({
    files: {
      async writeStream(requests: AsyncIterable<unknown>) {
        for await (const _ of requests) thrower();
        return {};
      },
    },
    call: (client: Clients, options = {}) => client.files.writeStream(repeated({}), options),
  }),
};

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
