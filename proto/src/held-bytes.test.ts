import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type HeldBounds, HeldBytes, type Holder, MAX_SMALL_BYTES } from "./held-bytes.ts";

const SAMPLE_MS = 100;
const MiB = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/**
 * Sets bounds of 100 MiB each and 150 in all, and makes holders of a given size that record the order in
 * which they are dropped.
 */
function world(bounds: Partial<HeldBounds> = {}) {
  const { perAccount = 100, inAll = 150 } = bounds;
  const held = new HeldBytes({
    perAccount: perAccount * MiB,
    inAll: inAll * MiB,
    sampleIntervalMs: SAMPLE_MS,
  });
  const dropped: string[] = [];
  const hold = (account: string, size: number, more: Partial<Holder> = {}): Holder => {
    const holder: Holder = {
      account,
      heldBytes: () => size * MiB,
      canBeDropped: () => true,
      drop: (bound) => dropped.push(`${account}${size} ${bound}`),
      ...more,
    };
    held.hold(holder);
    return holder;
  };
  return { held, hold, dropped, look: () => vi.advanceTimersByTime(SAMPLE_MS) };
}

const stubborn = { canBeDropped: () => false };

it("drops the largest of an account that holds too much, until it fits", () => {
  const { hold, dropped, look } = world();
  for (const bytes of [20, 60, 50, 30]) hold("a", bytes);
  hold("b", 10);
  look();
  expect(dropped).toEqual(["a60 perAccount"]);
  look();
  expect(dropped).toHaveLength(1);
});

it("where all hold too much together, takes from whoever holds most, until they are even", () => {
  const { hold, dropped, look } = world({ inAll: 120 });
  for (const bytes of [30, 31, 32]) hold("a", bytes);
  for (const bytes of [25, 35, 10]) hold("b", bytes);
  hold("c", 40);
  look();
  expect(dropped).toEqual(["a32 inAll", "b35 inAll", "a31 inAll"]);
});

it("counts what can't be dropped, and says who should get no more", () => {
  const { held, hold, dropped, look } = world();
  const stays = hold("a", 90, stubborn);
  hold("a", 20);
  hold("b", 40);
  look();
  expect(dropped).toEqual(["a20 perAccount"]);
  const more = hold("a", 20, stubborn);
  look();
  expect([held.isFull("a"), held.isFull("b")]).toEqual([true, false]);
  held.release(stays);
  held.release(more);
  look();
  expect(held.isFull("a")).toBe(false);
});

it("promise 9: drops nothing where that can't help, for what can't be dropped is too much; but what it spares has the same bound", () => {
  const { hold, dropped, look } = world({ inAll: 1000 });
  hold("a", 110, stubborn);
  for (const size of [20, 30]) hold("a", size);
  look();
  expect(dropped).toEqual([]);
  hold("a", 60);
  look();
  expect(dropped).toEqual(["a60 perAccount"]);
});

it("promise 9: what one account has that can't be dropped costs the others nothing within their share", () => {
  const { hold, dropped, look } = world({ perAccount: 1000 });
  hold("a", 140, stubborn);
  hold("a", 2);
  for (const account of ["b", "c"]) for (const size of [0.000_001, 5, 30]) hold(account, size);
  look();
  expect(dropped).toEqual([]);
});

it("promise 9: where others use it up, whoever has more than a share pays, down to that", () => {
  const { hold, dropped, look } = world({ perAccount: 1000 });
  hold("a", 80, stubborn);
  for (const size of [20, 21, 22, 23]) hold("b", size);
  for (const size of [10, 11]) hold("c", size);
  look();
  expect(dropped).toEqual(["b23 inAll", "b22 inAll"]);
});

it("never drops what is small", () => {
  const { hold, dropped, look } = world({ perAccount: 0.3, inAll: 0.3 });
  const few = () => Array.from({ length: 4 }, () => hold("a", MAX_SMALL_BYTES / MiB));
  few();
  hold("a", 0.1);
  look();
  expect(dropped).toEqual(["a0.1 perAccount"]);
  few();
  look();
  expect(dropped).toHaveLength(1);
});

it("where all of it is used up by what can't be dropped, whoever has less than a share gets more", () => {
  const { held, hold, look } = world();
  hold("a", 90, stubborn);
  hold("b", 60, stubborn);
  hold("c", 10, stubborn);
  look();
  expect(["a", "b", "c"].map((account) => held.isFull(account))).toEqual([true, true, false]);
});

it("asks who pays only for what holds something", () => {
  const { held, look } = world();
  const account = vi.fn(() => "a");
  let bytes = 0;
  held.hold({
    get account() {
      return account();
    },
    heldBytes: () => bytes,
    canBeDropped: () => true,
    drop: () => undefined,
  });
  look();
  expect(account).not.toHaveBeenCalled();
  bytes = 1;
  look();
  expect(account).toHaveBeenCalledOnce();
});

it("what was dropped may be held again while it lasts", () => {
  const { held, hold, dropped, look } = world();
  let frees = false;
  const holder = hold("a", 0, {
    heldBytes: () => (frees ? 5 : 200) * MiB,
    canBeDropped: () => !frees,
    drop: () => {
      dropped.push("a");
      frees = true;
      held.hold(holder);
    },
  });
  look();
  hold("a", 98);
  look();
  expect(dropped).toEqual(["a", "a98 perAccount"]);
});

it("does nothing while there is nothing to look at", () => {
  const { held, hold, look } = world();
  expect(vi.getTimerCount()).toBe(0);
  held.release(hold("a", 200));
  expect(vi.getTimerCount()).toBe(1);
  look();
  expect(vi.getTimerCount()).toBe(0);
  hold("a", 1);
  expect(vi.getTimerCount()).toBe(1);
  held.close();
  expect(vi.getTimerCount()).toBe(0);
});
