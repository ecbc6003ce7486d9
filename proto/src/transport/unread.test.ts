import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { unreadBytes } from "./unread.ts";

/** A stream that has got these pieces. */
function holding(...pieces: number[]): Readable {
  const stream = new Readable({ read: () => undefined });
  for (const bytes of pieces) stream.push(Buffer.alloc(bytes));
  return stream;
}

it("promise 9: content that comes a byte at a time counts for what it costs", () => {
  const stream = holding(...new Array<number>(1_000).fill(1));
  const bytes = unreadBytes(stream);
  expect(bytes).toBeGreaterThan(200 * 1_000);
  stream.read(500);
  expect(unreadBytes(stream)).toBe(bytes / 2);
  stream.read();
  expect(unreadBytes(stream)).toBe(0);
});

it("content in large pieces counts for little more than its bytes", () => {
  const bytes = unreadBytes(holding(16_384, 16_384));
  expect(bytes).toBeGreaterThanOrEqual(32_768);
  expect(bytes).toBeLessThan(32_768 * 1.02);
});
