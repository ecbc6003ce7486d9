import { expect, it } from "vitest";
import { RecordShares } from "./record-shares.ts";

const HOUR_MS = 60 * 60 * 1_000;
const BOUNDS = {
  keyBytes: 1_000,
  keyBytesPerHour: 100,
  methodBytes: 400,
  methodBytesPerHour: 50,
  remembered: 6,
};

/**
 * Makes shares with a clock that the test moves; `fits` returns how many of ten records of 100 bytes are
 * accepted.
 */
function setUp() {
  let atMs = 0;
  const shares = new RecordShares(BOUNDS, () => atMs);
  const fits = (key: string, method: string): number =>
    Array.from({ length: 10 }, () => shares.take(key, method, 100)).filter(Boolean).length;
  const later = (hours: number) => {
    atMs += hours * HOUR_MS;
  };
  return { shares, fits, later };
}

it("bounds a key's records by method and in all, another key's apart, and gives back with time", () => {
  const { fits, later } = setUp();
  expect(fits("key", "info")).toBe(4);
  expect(fits("key", "read")).toBe(4);
  expect(fits("key", "list")).toBe(2);
  expect(fits("other", "info")).toBe(4);
  later(4);
  expect(fits("key", "info")).toBe(2);
  expect(fits("key", "search")).toBe(2);
  later(1_000);
  expect(fits("key", "info")).toBe(4);
});

it("takes nothing of a record that does not fit", () => {
  const { shares } = setUp();
  expect(shares.take("key", "info", 401)).toBe(false);
  expect(shares.take("key", "info", 400)).toBe(true);
});

it("promise 9: remembers a bounded number of shares; whoever goes on is not forgotten", () => {
  const { fits } = setUp();
  expect(fits("busy", "info")).toBe(4);
  for (let key = 0; key < 100; key += 1) {
    fits(`key ${key}`, "info");
    expect(fits("busy", "info")).toBe(0);
  }
});
