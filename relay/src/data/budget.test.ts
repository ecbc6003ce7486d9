import { CmdopError } from "@cmdop/proto";
import { afterEach, expect, it, vi } from "vitest";
import { Budget } from "./budget.ts";
import { CANCEL_BURST, HELD_SAMPLE_INTERVAL_MS } from "./limits.ts";

const MiB = 1024 * 1024;

afterEach(() => vi.useRealTimers());

const nothing = { to: "machine", fail: () => undefined } as const;

it("refuses a call beyond the share of its key, or of all; a call that ends makes room", () => {
  const budget = new Budget({ callsPerKey: 2, calls: 3 });
  const release = budget.openCall("a", nothing);
  budget.openCall("a", { ...nothing });
  expect(() => budget.openCall("a", { ...nothing })).toThrow("2 are the most");
  budget.openCall("b", { ...nothing });
  expect(() => budget.openCall("b", { ...nothing })).toThrow("takes no more");
  release();
  release();
  expect(budget.callCount).toBe(2);
  budget.openCall("b", { ...nothing });
  budget.close();
});

it("refuses connections beyond a key's share", () => {
  const budget = new Budget({ sessionsPerKey: 1 });
  const release = budget.openSession("a");
  expect(() => budget.openSession("a")).toThrow("1 are the most");
  release();
  budget.openSession("a");
  budget.close();
});

it("refuses calls of a key that cancels too fast, until time has passed", () => {
  vi.useFakeTimers();
  const budget = new Budget();
  for (let count = 0; count < CANCEL_BURST; count += 1) budget.noteCancel("a");
  expect(() => budget.openCall("a", nothing)).toThrow("cancels its calls too fast");
  budget.openCall("b", { ...nothing });
  vi.advanceTimersByTime(1_000);
  budget.openCall("a", nothing);
  budget.close();
});

it("drops the largest holders of whoever holds too much, and nobody else's", () => {
  vi.useFakeTimers();
  const budget = new Budget({ heldBytesPerKey: 100 * MiB, heldBytes: 150 * MiB });
  const dropped: string[] = [];
  const hold = (keyId: string, name: string, size: number) =>
    budget.hold({
      account: keyId,
      heldBytes: () => size * MiB,
      canBeDropped: () => true,
      drop: () => dropped.push(name),
    });
  hold("a", "a60", 60);
  hold("a", "a50", 50);
  hold("b", "b90", 90);
  vi.advanceTimersByTime(HELD_SAMPLE_INTERVAL_MS);
  expect(dropped).toEqual(["a60"]);
  hold("c", "c20", 20);
  vi.advanceTimersByTime(HELD_SAMPLE_INTERVAL_MS);
  // 160 of 150 in all: whoever holds most pays.
  expect(dropped).toEqual(["a60", "b90"]);
  budget.close();
});

it("refuses calls to the relay itself beyond their smaller share, and no others", () => {
  const budget = new Budget({ callsPerKey: 4, serviceCallsPerKey: 1 });
  const call = () => ({ to: "relay", fail: () => undefined }) as const;
  const release = budget.openCall("a", call());
  expect(() => budget.openCall("a", call())).toThrow("1 are the most");
  budget.openCall("a", { ...nothing });
  budget.openCall("b", call());
  release();
  budget.openCall("a", call());
  budget.close();
});

it("ends the calls of one key on machines", () => {
  const budget = new Budget();
  const ended: string[] = [];
  for (const key of ["a", "a", "b"])
    budget.openCall(key, { to: "machine", fail: (error) => ended.push(`${key} ${error.code}`) });
  budget.openCall("a", { to: "relay", fail: () => ended.push("a call to the relay itself") });
  expect(budget.callers()).toEqual(["a", "b"]);
  budget.endCalls("a", new CmdopError("KeyRevoked", "gone"));
  expect(ended).toEqual(["a KeyRevoked", "a KeyRevoked"]);
  budget.close();
});
