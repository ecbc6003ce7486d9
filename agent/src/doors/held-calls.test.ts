import { CmdopError, type ServedCall } from "@cmdop/proto";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { HELD_SAMPLE_INTERVAL_MS, HeldCalls, MAX_HELD_BYTES, MAX_HELD_BYTES_PER_KEY } from "./held-calls.ts";
import type { Credentials, OnKey } from "./identify.ts";

const MiB = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const look = () => vi.advanceTimersByTimeAsync(HELD_SAMPLE_INTERVAL_MS);

/** Makes an identifier that believes every call except those of `liar`; a new key takes a moment. */
function believer() {
  const known = new Set<string>();
  return async (call: Credentials, onKey?: OnKey): Promise<never> => {
    const key = call.header("authorization") ?? "local";
    if (!known.has(key)) await Promise.resolve();
    if (key === "liar") throw new CmdopError("Unauthenticated", "no");
    known.add(key);
    onKey?.(key, key);
    throw new CmdopError("GrantExpired", "whose it is, is certain all the same");
  };
}

function machine() {
  const believing = believer();
  const identifier = { remote: vi.fn(believing), local: vi.fn(believing) };
  const held = new HeldCalls(identifier);
  const dropped: string[] = [];
  /** Makes a call of this key that holds this many bytes, through the relay's door. */
  const call = (key: string, bytes: number, canBeDropped = true) => {
    const served: ServedCall = {
      header: (name) => (name === "authorization" ? key : undefined),
      heldBytes: () => bytes,
      keptBytes: () => (canBeDropped ? 0 : bytes),
      canBeDropped: () => canBeDropped && bytes > 0,
      drop: ({ code, message }) => {
        bytes = 0;
        dropped.push(`${key} ${code} ${/\d+ MiB/.exec(message)?.[0]}`);
      },
    };
    return held.watch("relay", served);
  };
  return { held, call, dropped, identifier };
}

it("promise 9: uploads that fill their windows fit where the SDK's trees have them, and no more do", async () => {
  const { call, dropped } = machine();
  // See sdk/src/files/transfer/transfer.ts.
  for (let large = 0; large < 4; large += 1) call("a", 24 * MiB);
  for (let small = 0; small < 12; small += 1) call("a", 7 * MiB);
  for (let beside = 0; beside < 4; beside += 1) call("a", 4 * MiB);
  await look();
  await look();
  expect(dropped).toEqual([]);
  for (let more = 0; more < 2; more += 1) call("a", 24 * MiB);
  await look();
  await look();
  expect(dropped).toEqual(["a LimitExceeded 224 MiB"]);
});

it("promise 9: one key's calls never cost another key its own; who holds most pays for all", async () => {
  const { call, dropped } = machine();
  for (let count = 0; count < 9; count += 1) call("a", 24 * MiB);
  for (let count = 0; count < 4; count += 1) call("b", 24 * MiB);
  await look();
  await look();
  expect(dropped).toEqual([]);
  call("c", 24 * MiB);
  await look();
  expect(dropped).toEqual(["a LimitExceeded 320 MiB"]);
});

it("calls that show no good key share one account", async () => {
  const { call, dropped } = machine();
  for (let count = 0; count < 10; count += 1) call("liar", 24 * MiB);
  call("a", 30 * MiB);
  await look();
  expect(dropped).toEqual([]);
  await look();
  expect(dropped).toEqual(["liar LimitExceeded 224 MiB"]);
});

it("asks who calls only where something is held, and once", async () => {
  const { call, identifier } = machine();
  const idle = call("a", 0);
  await look();
  expect(identifier.remote).not.toHaveBeenCalled();
  call("a", 1);
  await look();
  await look();
  expect(identifier.remote).toHaveBeenCalledOnce();
  idle.end();
});

it("promise 9: where what is carried out fills a key's share, no more of it is begun; small calls are, and others'", async () => {
  const { call, dropped } = machine();
  call("a", 1);
  await look();
  const writes = Array.from({ length: 56 }, () => call("a", 4 * MiB, false));
  // All begin at once, before any check of the held bytes.
  for (const write of writes) write.begin();
  expect(() => call("a", 4 * MiB, false).begin()).toThrow("224 MiB");
  call("a", 100, false).begin();
  call("b", 4 * MiB, false).begin();
  // An upload that begins can still be dropped.
  call("a", 24 * MiB).begin();
  for (const write of writes.splice(0, 2)) write.end();
  call("a", 4 * MiB, false).begin();
  expect(dropped).toEqual([]);
});

it("promise 9: nor while running requests have come to hold more than that", async () => {
  const { call } = machine();
  const uploads = Array.from({ length: 57 }, () => call("a", 4 * MiB, false));
  await look();
  await look();
  expect(() => call("a", 4 * MiB).begin()).toThrow("224 MiB");
  call("a", 100).begin();
  for (const upload of uploads) upload.end();
  await look();
  call("a", 4 * MiB).begin();
});

it("promise 9: what one key's running requests hold costs no other key its calls", async () => {
  const { call, dropped } = machine();
  for (let count = 0; count < 56; count += 1) call("a", 4 * MiB, false).begin();
  for (const key of ["b", "c", "d"]) for (const size of [1, 20 * MiB, 24 * MiB]) call(key, size).begin();
  for (let looks = 0; looks < 3; looks += 1) await look();
  expect(dropped).toEqual([]);
});

it("has bounds in the right order", () => {
  expect(MAX_HELD_BYTES).toBeGreaterThan(MAX_HELD_BYTES_PER_KEY);
});
