import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import {
  aborted,
  type Caller,
  type Clients,
  collected,
  failure,
  output,
  repeated,
  started,
  unused,
} from "../testing/services.ts";
import type { Admit, CallOptions } from "./types.ts";

/** A gate that can take its word back, and keeps how each call ended. */
function revocable() {
  const revocation = new AbortController();
  const endings: string[] = [];
  const admit: Admit<Caller> = async () => ({
    caller: { name: "anyone" },
    revoked: revocation.signal,
    onEnd: (code) => endings.push(code),
  });
  const revoke = (): void => revocation.abort(new CmdopError("KeyRevoked", "no more"));
  return { admit, endings, revoke };
}

describe("a call that was let in", () => {
  it("ends with the revocation's error while its answer streams, and its handler hears of it", async () => {
    const { admit, endings, revoke } = revocable();
    const heard = Promise.withResolvers<void>();
    await using client = await started(
      {
        attach: async function* (_request, { signal }) {
          yield output(0, 1);
          await aborted(signal);
          heard.resolve();
        },
      },
      {},
      admit,
    );
    const stream = client.jobs.attach({})[Symbol.asyncIterator]();
    await stream.next();
    revoke();
    expect(await failure(stream.next())).toMatchObject({ code: "KeyRevoked", message: "no more" });
    await heard.promise;
    expect(endings).toEqual(["KeyRevoked"]);
  });

  it("ends with it while its request streams", async () => {
    const { admit, endings, revoke } = revocable();
    await using client = await started(
      {
        input: async function* (requests) {
          for await (const _ of requests) yield { accepted: 0n };
        },
      },
      {},
      admit,
    );
    const stream = client.jobs.input(repeated({}))[Symbol.asyncIterator]();
    await stream.next();
    revoke();
    const rest = (async () => {
      for (let next = await stream.next(); !next.done; ) next = await stream.next();
    })();
    expect((await failure(rest)).code).toBe("KeyRevoked");
    await expect.poll(() => endings).toEqual(["KeyRevoked"]);
  });

  it("ends with it though its handler never looks up", async () => {
    const { admit, revoke } = revocable();
    await using client = await started({ cancel: () => new Promise(() => undefined) }, {}, admit);
    const failed = failure(client.jobs.cancel({}));
    setTimeout(revoke, 10);
    expect((await failed).code).toBe("KeyRevoked");
  });

  it("tells its gate the end once: Ok, the error's code, Canceled", async () => {
    const { admit, endings } = revocable();
    const begun = Promise.withResolvers<void>();
    await using client = await started(
      {
        list: async () => ({ jobs: [] }),
        cancel: async () => {
          throw new CmdopError("JobUnknown", "no such job");
        },
        attach: async function* (_request, { signal }) {
          begun.resolve();
          yield output(0, 1);
          await aborted(signal);
        },
      },
      {},
      admit,
    );
    await client.jobs.list({});
    await failure(client.jobs.cancel({}));
    const leaving = new AbortController();
    const reading = failure(collected(client.jobs.attach({}, { signal: leaving.signal })));
    await begun.promise;
    leaving.abort();
    await reading;
    await expect.poll(() => endings).toEqual(["Ok", "JobUnknown", "Canceled"]);
  });

  it.each([
    ["unary", (client: Clients, options: CallOptions) => client.jobs.list({}, options)],
    [
      "server streaming",
      (client: Clients, options: CallOptions) => collected(client.jobs.attach({}, options)),
    ],
  ])("%s: its caller hears what it is told while it waits at the gate", async (_kind, call) => {
    const heard = Promise.withResolvers<string | undefined>();
    const opened = Promise.withResolvers<void>();
    const admit: Admit<Caller> = async ({ inform }) => {
      inform({ "x-cmdop-waiting": "a person" });
      await opened.promise;
      return { caller: { name: "anyone" } };
    };
    const handlers = {
      list: async () => ({ jobs: [] }),
      attach: async function* () {
        yield output(0, 1);
      },
    };
    await using client = await started(handlers, {}, admit);
    const answer = call(client, { onHeaders: (header) => heard.resolve(header("x-cmdop-waiting")) });
    expect(await heard.promise).toBe("a person");
    opened.resolve();
    await answer;
  });

  it("can still be refused with its own words after that", async () => {
    await using client = await started({ list: unused }, {}, async ({ inform }) => {
      inform({ "x-cmdop-waiting": "a person" });
      throw new CmdopError("ApprovalRefused", "not today");
    });
    expect(await failure(client.jobs.list({}))).toMatchObject({
      code: "ApprovalRefused",
      message: "not today",
    });
  });
});
