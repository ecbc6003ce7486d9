import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseStrictJson } from "./strict-json.ts";

describe("strict JSON", () => {
  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":{},"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '[{"x":[{"a":1 , "a" : 2}]}]',
    '{"x":{"a":[1,{"b":"}"}],"a":2}}',
    '{"a\\"":"{","a\\"":2}',
    '{"x":"\\\\","a":[],"a":[]}',
  ])("refuses a doubled key: %s", (text) => {
    expect(() => parseStrictJson(text)).toThrow(SyntaxError);
    expect(() => parseStrictJson(text)).toThrow(/stands twice/);
  });

  it.each([
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":["a","a","b"],"c":"\\"a\\":1,\\"a\\":2"}',
    '{"a":1,"A":1," a":1}',
    '"a"',
    "[[],{},null]",
  ])("takes what has none: %s", (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it.each(["", "{", '{"a":1,}', '{"a" 1}', "\ufeff{}", '"', "{'a':1}"])(
    "refuses what is no JSON: %s",
    (text) => {
      expect(() => parseStrictJson(text)).toThrow(SyntaxError);
    },
  );

  it("takes all that JSON.stringify makes, and refuses it with a key of it once more (fuzz)", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        (value, object) => {
          expect(parseStrictJson(JSON.stringify(value, null, 1))).toEqual(JSON.parse(JSON.stringify(value)));
          const text = JSON.stringify(object);
          const [key = ""] = Object.keys(object);
          const doubled = `${text.slice(0, -1)},${JSON.stringify(key)}:${JSON.stringify(value)}}`;
          expect(() => parseStrictJson(`{"x":${doubled}}`)).toThrow(/stands twice/);
        },
      ),
    );
  });

  it("is not nested too deep by anybody", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(() => parseStrictJson(`{"a":${deep},"a":1}`)).toThrow(/stands twice/);
  });
});
