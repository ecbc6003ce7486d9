import { describe, expect, it } from "vitest";
import { BoundedMap } from "./bounded-map.ts";

describe("BoundedMap", () => {
  it("puts out the key that was set longest ago, and says so", () => {
    const forgotten: [string, number][] = [];
    const map = new BoundedMap<string, number>(2, (key, value) => forgotten.push([key, value]));
    map.set("a", 1);
    map.set("b", 2);
    map.get("a");
    map.set("a", 3);
    map.set("c", 4);
    expect([...map]).toEqual([
      ["a", 3],
      ["c", 4],
    ]);
    expect(forgotten).toEqual([["b", 2]]);
  });

  it("is never larger than its bound, and a key that is taken out makes room", () => {
    const map = new BoundedMap<number, number>(3);
    for (let key = 0; key < 100; key += 1) {
      map.set(key, key);
      expect(map.size).toBeLessThanOrEqual(3);
    }
    expect(map.delete(98)).toBe(true);
    expect(map.delete(98)).toBe(false);
    map.set(100, 100);
    expect([...map.keys()]).toEqual([97, 99, 100]);
    map.clear();
    expect([...map.values()]).toEqual([]);
    expect(map.has(99)).toBe(false);
  });

  it("refuses a bound that holds nothing", () => {
    for (const bound of [0, -1, Number.NaN]) expect(() => new BoundedMap(bound)).toThrow(RangeError);
  });
});
