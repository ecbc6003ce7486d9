import { describe, expect, it } from "vitest";
import { alternatingBuffers, readAhead } from "./read-ahead.ts";

describe("readAhead", () => {
  it("gives all items in order, each made while the one before it is used", async () => {
    const made: number[] = [];
    const items = (async function* () {
      for (let item = 0; item < 4; item++) {
        made.push(item);
        yield item;
      }
    })();
    const seen: number[] = [];
    for await (const item of readAhead(items)) {
      seen.push(item);
      expect(made.length).toBeLessThanOrEqual(item + 2);
    }
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it("tells of a failure in its turn, and is not unheard before", async () => {
    const items = (async function* () {
      yield 1;
      throw new RangeError("broke");
    })();
    const ahead = readAhead(items);
    expect((await ahead.next()).value).toBe(1);
    // Long enough for an unhandled rejection to be reported, which would fail this run.
    await new Promise((resolve) => setTimeout(resolve, 10));
    await expect(ahead.next()).rejects.toThrow(new RangeError("broke"));
  });

  it("lets the source clean up when its reader leaves", async () => {
    let isClean = false;
    const items = (async function* () {
      try {
        for (;;) yield 1;
      } finally {
        isClean = true;
      }
    })();
    for await (const _ of readAhead(items)) break;
    expect(isClean).toBe(true);
  });
});

describe("alternatingBuffers", () => {
  it("leaves what was given last as it is", () => {
    const room = alternatingBuffers();
    const first = room(8).fill(1);
    const second = room(8).fill(2);
    expect(first).toEqual(Buffer.alloc(8, 1));
    room(4).fill(3);
    expect(second).toEqual(Buffer.alloc(8, 2));
  });
});
