import { expect, it } from "vitest";
import { atLeastHalf, Backoff } from "./backoff.ts";

const PAUSES = { firstPauseMs: 10, maxPauseMs: 100 };

it("doubles its pauses up to the longest, and begins again after a success", () => {
  const backoff = new Backoff(PAUSES, () => 1);
  const pauses = Array.from({ length: 100 }, () => backoff.nextMs());
  expect(pauses.slice(0, 6)).toEqual([10, 20, 40, 80, 100, 100]);
  expect(pauses.at(-1)).toBe(100);
  expect(backoff.failures).toBe(100);
  backoff.reset();
  expect(backoff.nextMs()).toBe(10);
});

it("is anywhere between nothing and its bound", () => {
  expect(new Backoff(PAUSES, () => 0).nextMs()).toBe(0);
  expect(new Backoff(PAUSES, () => 0.5).nextMs()).toBe(5);
});

it("is at least half of its bound where that is asked for", () => {
  const backoff = new Backoff({ firstPauseMs: 10, maxPauseMs: 10 }, atLeastHalf);
  const pauses = Array.from({ length: 1_000 }, () => backoff.nextMs());
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(5);
  expect(Math.max(...pauses)).toBeLessThan(10);
});

it("is ended by its signal", async () => {
  const backoff = new Backoff({ firstPauseMs: 1e9, maxPauseMs: 1e9 });
  expect(await backoff.wait({ signal: AbortSignal.abort() })).toBe(false);
  expect(await new Backoff({ firstPauseMs: 1, maxPauseMs: 1 }).wait()).toBe(true);
});
