import { expect, it } from "vitest";
import { collected, NEVER } from "../place/test-support.ts";
import { occurrences } from "./occurrences.ts";

const found = (text: string, needle: string) =>
  collected(occurrences(Buffer.from(text), Buffer.from(needle), NEVER));

/** What a search looks at, counted. */
function counting(bytes: Buffer): { bytes: Buffer; looks: () => number } {
  let looks = 0;
  const get = (target: Buffer, name: string | symbol): unknown => {
    if (typeof name === "string" && /^\d+$/.test(name)) looks += 1;
    return Reflect.get(target, name, target);
  };
  return { bytes: new Proxy(bytes, { get }), looks: () => looks };
}

it.each([
  ["abcabc", "abc", [0, 3]],
  ["aaaa", "aa", [0, 2]],
  ["aaaaa", "aa", [0, 2]],
  ["ababaca", "abac", [2]],
  ["abab", "b", [1, 3]],
  ["abc", "abcd", []],
  ["", "a", []],
])("in %j it finds %j at %j, as indexOf does", async (text, needle, starts) => {
  expect(await found(text, needle)).toEqual(starts);
});

it("finds what indexOf finds, whatever it is given", async () => {
  for (let seed = 1; seed < 300; seed++) {
    const letter = (index: number): string =>
      "ab"[(seed * (index + 7) * 2_654_435_761) % 97 > 48 ? 1 : 0] ?? "";
    const text = Array.from({ length: 60 }, (_, index) => letter(index)).join("");
    const needle = text.slice(seed % 50, (seed % 50) + 1 + (seed % 6));
    const expected: number[] = [];
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) {
      expected.push(at);
    }
    expect(await found(text, needle), `${needle} in ${text}`).toEqual(expected);
  }
});

it.each([
  ["ab, then a's", (length: number) => `ab${"a".repeat(length - 2)}`],
  ["a's, then b", (length: number) => `${"a".repeat(length - 1)}b`],
  ["ab again and again, then c", (length: number) => `${"ab".repeat(length / 2 - 1)}ac`],
])("looks at each byte a few times, however the needle repeats itself: %s", async (_, make) => {
  const text = counting(Buffer.alloc(40_000, "a"));
  const needle = counting(Buffer.from(make(10_000)));
  expect(await collected(occurrences(text.bytes, needle.bytes, NEVER))).toEqual([]);
  expect(text.looks() + needle.looks()).toBeLessThan(5 * 50_000);
});

it("ends when its caller leaves", async () => {
  expect(await collected(occurrences(Buffer.from("aa"), Buffer.from("a"), AbortSignal.abort()))).toEqual([]);
});
