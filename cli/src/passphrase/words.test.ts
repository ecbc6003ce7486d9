import { expect, it } from "vitest";
import { makePassphrase } from "./words.ts";

it("a passphrase is six words of 12 bits each, 72 in all, that are made anew each time", () => {
  const made = Array.from({ length: 500 }, makePassphrase);
  for (const passphrase of made) expect(passphrase).toMatch(/^(?:[a-z]{4}-){5}[a-z]{4}$/);
  expect(new Set(made).size).toBe(made.length);
  // Every letter comes up at every place where it can: 16 × 4 × 16 × 4 words.
  const words = made.flatMap((passphrase) => passphrase.split("-"));
  const sizes = [0, 1, 2, 3].map((place) => new Set(words.map((word) => word[place])).size);
  expect(sizes).toEqual([16, 4, 16, 4]);
});
