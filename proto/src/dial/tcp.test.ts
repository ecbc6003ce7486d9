import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it, vi } from "vitest";
import { portOf } from "../testing/loopback.ts";
import { dialTcp } from "./tcp.ts";

const addresses = vi.hoisted(() => ({ of: [] as string[] }));
vi.mock("node:dns/promises", () => ({
  lookup: async () => addresses.of.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
}));

it.each([
  ["a dead IPv6 address first", ["100::1", "127.0.0.1"]],
  ["several, of which the last answers", ["100::1", "100::2", "100::3", "127.0.0.1"]],
  ["an address that never answers first", ["192.0.2.1", "127.0.0.1"]],
  ["one that refuses first", ["::1", "127.0.0.1"]],
])("a name with %s connects", async (_title, of) => {
  addresses.of = of;
  await using server = createServer((socket) => socket.on("error", () => undefined).destroy());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = await dialTcp("relay.example.com", portOf(server), AbortSignal.timeout(2_000));
  expect(socket.remoteAddress).toBe("127.0.0.1");
  socket.destroy();
});

it("a name whose addresses all fail says why, and an aborted attempt its reason", async () => {
  addresses.of = ["127.0.0.1", "::1"];
  const live = new AbortController();
  await expect(dialTcp("relay.example.com", 1, live.signal)).rejects.toMatchObject({ kind: "refused" });
  const reason = new Error("enough");
  await expect(dialTcp("relay.example.com", 1, AbortSignal.abort(reason))).rejects.toBe(reason);
});
