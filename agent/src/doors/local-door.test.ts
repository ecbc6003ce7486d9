import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createClient, Link, type RpcServer, serve, sessionChannel } from "@cmdop/proto";
import { expect, it } from "vitest";
import { openLocalDoor } from "./local-door.ts";

/** Longer than any machine needs for the events in between. */
const A_MINUTE_MS = 60_000;

it.each([0, 100, 1_000_000])(
  "promise 3: the last words of calls, with %i bytes before them, still go out when the door closes",
  async (bytes) => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-door-"));
    const begun = Promise.withResolvers<void>();
    const closing = Promise.withResolvers<void>();
    const said = Promise.withResolvers<void>();
    const unused = async () => ({});
    const addServices = (server: RpcServer): void =>
      serve(server, Link, async () => ({ caller: null }), {
        hello: unused,
        welcome: unused,
        rosters: unused,
        async *audit() {
          begun.resolve();
          await closing.promise;
          yield { records: [Buffer.alloc(bytes)] };
          said.resolve();
        },
      });
    const door = await openLocalDoor(directory, addServices, { leaveWithinMs: A_MINUTE_MS });
    const session = connect("http://agent", { createConnection: () => net.connect(door.socketPath) });
    session.on("error", () => undefined);
    try {
      const heard = (async () => {
        let length = 0;
        for await (const { records } of createClient(Link, () => sessionChannel(session)).audit({})) {
          for (const record of records) length += record.length;
        }
        return length;
      })();
      await begun.promise;
      closing.resolve();
      await said.promise;
      const [length] = await Promise.all([heard, door.close()]);
      expect(length).toBe(bytes);
    } finally {
      session.destroy();
      await rm(directory, { recursive: true });
    }
  },
);

it("promise 9: a caller that stays can't keep the door from closing", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-door-"));
  try {
    const door = await openLocalDoor(directory, () => undefined);
    const caller = net.connect(door.socketPath).on("error", () => undefined);
    await once(caller, "connect");
    await door.close();
    // The caller reads nothing, so it has not noticed yet.
    expect(caller.destroyed).toBe(false);
    caller.destroy();
  } finally {
    await rm(directory, { recursive: true });
  }
});
