import fc from "fast-check";
import { expect, test } from "vitest";
import { Holdings } from "./holdings.ts";
import { Shares } from "./shares.ts";

const NEXT = "Give one back.";
const sharesOf = (capacity: number): Shares => new Shares({ capacity, what: "places", next: NEXT });
const forever = new AbortController().signal;

/** Takes places until the key is refused. */
function takeAll(shares: Shares, key: string): Disposable[] {
  const places: Disposable[] = [];
  for (;;) {
    try {
      places.push(shares.take(key));
    } catch {
      return places;
    }
  }
}

/** Waits until the reactions to all resolved promises have run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test.for([
  [0, []],
  [1, [1]],
  [2, [1, 1]],
  [3, [2, 1]],
  [4, [2, 1, 1]],
  [8, [4, 2, 1, 1]],
  [256, [128, 43, 22, 13, 9]],
])(
  "of %d places, keys that come one after the other and take what they can get %j",
  ([capacity, expected]) => {
    const shares = sharesOf(Number(capacity));
    const taken = Array.isArray(expected)
      ? expected.map((_, index) => takeAll(shares, `key ${index}`).length)
      : [];
    expect(taken).toEqual(expected);
  },
);

test("keys that come and go leave room for one more, and never hold more than there is", () => {
  const steps = fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 7 }),
      takes: fc.boolean(),
      count: fc.integer({ min: 1, max: 300 }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000 }), steps, (capacity, history) => {
      const shares = sharesOf(capacity);
      const held = new Map<string, Disposable[]>();
      for (const { key: number, takes, count } of history) {
        const key = `key ${number}`;
        const places = held.get(key) ?? [];
        held.set(key, places);
        if (takes) {
          for (let left = count; left > 0 && places.length < shares.shareOf(key); left -= 1)
            places.push(shares.take(key));
        } else for (const place of places.splice(0, count)) place[Symbol.dispose]();

        const sizes = [...held.values()].map(({ length }) => length).filter((size) => size > 0);
        const used = sizes.reduce((sum, size) => sum + size, 0);
        expect(shares.used).toBe(used);
        expect(used).toBeLessThanOrEqual(capacity);
        // The class promises that an (n + 1)th stays free, except for rounding.
        expect(capacity - used).toBeGreaterThanOrEqual(
          Math.max(0, capacity / (sizes.length + 1) - sizes.length),
        );
        // A key that holds nothing is refused only if nothing is left.
        expect(shares.shareOf("newcomer") > 0).toBe(used < capacity);
      }
    }),
  );
});

test("a key that gives nothing back does not keep others from their turns", async () => {
  const shares = sharesOf(4);
  const greedy = Array.from({ length: 10 }, () => shares.enter("greedy", forever));
  for (let call = 0; call < 20; call += 1) {
    using _ = await shares.enter("other", forever);
  }
  await settled();
  expect(shares.of("greedy")).toBe(2);
  expect(greedy).toHaveLength(10);
});

test("keys take turns, however many each lets wait", async () => {
  const shares = sharesOf(1);
  const order: string[] = [];
  const work = async (key: string): Promise<void> => {
    using _ = await shares.enter(key, forever);
    order.push(key);
    await settled();
  };
  await Promise.all(["a", "a", "a", "a", "b", "b", "c"].map(work));
  expect(order).toEqual(["a", "b", "c", "a", "b", "a", "a"]);
});

test("nobody starves, and whoever left is passed over", async () => {
  const calls = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), leaves: fc.boolean() }), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), calls, async (capacity, asked) => {
      const shares = sharesOf(capacity);
      let most = 0;
      const done = asked.map(async ({ key, leaves }) => {
        const leaving = new AbortController();
        const place = shares.enter(key, leaving.signal);
        if (leaves) leaving.abort();
        using _ = await place;
        most = Math.max(most, shares.used);
        await settled();
      });
      const ends = await Promise.allSettled(done);
      for (const [index, { status }] of ends.entries())
        if (!asked[index]?.leaves) expect(status).toBe("fulfilled");
      expect(most).toBeLessThanOrEqual(capacity);
      expect({ used: shares.used, keys: shares.keys }).toEqual({ used: 0, keys: 0 });
    }),
  );
});

test("who is refused hears its share, the limit and what to do", () => {
  const shares = sharesOf(4);
  takeAll(shares, "a");
  expect(() => shares.take("a")).toThrow(
    expect.objectContaining({
      code: "LimitExceeded",
      message:
        "This key has 2 of the 4 places that this machine allows, all of its share: 2 are kept free for other keys.",
      next: NEXT,
    }),
  );
  takeAll(shares, "b");
  takeAll(shares, "c");
  expect(() => shares.take("d")).toThrow(
    "All 4 places that this machine allows are taken, 0 of them by this key.",
  );
  shares.capacity = 0;
  expect(() => shares.take("d")).toThrow("This machine allows no places.");
});

test("a capacity that grows lets in who waits; one that shrinks takes nothing away", async () => {
  const shares = sharesOf(1);
  const [place] = takeAll(shares, "a");
  const waiting = shares.enter("b", forever);
  shares.capacity = 4;
  await waiting;
  shares.capacity = 1;
  expect(shares.used).toBe(2);
  place?.[Symbol.dispose]();
  place?.[Symbol.dispose]();
  expect(shares.used).toBe(1);
  expect(() => shares.take("a")).toThrow("All 1 places");
});

test("what is taken back is of those beyond an equal part, of whoever holds most first", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e"), fc.integer({ min: 1, max: 500 })),
      (capacity, held) => {
        const holdings = new Holdings();
        for (const [key, amount] of Object.entries(held)) holdings.count(key, amount);
        const beyond = holdings.beyond(capacity);
        for (const key of beyond) expect(holdings.of(key)).toBeGreaterThan(capacity / holdings.keys.length);
        expect(beyond.map((key) => holdings.of(key))).toEqual(
          beyond.map((key) => holdings.of(key)).sort((a, b) => b - a),
        );
        if (holdings.total > capacity) expect(beyond).not.toEqual([]);
        for (const [key, amount] of Object.entries(held)) holdings.count(key, -amount);
        expect(holdings.keys).toEqual([]);
      },
    ),
  );
});
