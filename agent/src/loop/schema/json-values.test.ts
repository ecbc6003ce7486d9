import fc from "fast-check";
import { expect, it, test } from "vitest";
import { jsonValues } from "./json-values.ts";

const first = (answer: string): unknown => jsonValues(answer)[0];

test.for<[string, unknown]>([
  ['{"n": 42,}', { n: 42 }],
  ["{'n': 42}", { n: 42 }],
  ["{'says': 'it\\'s \"so\"', 'list': [1, 2,\n],}", { says: `it's "so"`, list: [1, 2] }],
  ["{'ok': True, 'why': None, 'no': False}", { ok: true, why: null, no: false }],
  ['The answer:\n```json\n{"a": [1, 2,],}\n```\nDone.', { a: [1, 2] }],
  ["It's {'a': '}'} and that's it", { a: "}" }],
  ['It\'s {"a": "don\'t, }"} I think', { a: "don't, }" }],
  ['{"text": "a, } b, ] True \'x\'",}', { text: "a, } b, ] True 'x'" }],
  ["null", null],
  ['"{\\"a\\": 1}"', { a: 1 }],
])("%j is read as a person would", ([answer, value]) => {
  expect(first(answer)).toEqual(value);
});

it("prefers what is said to what was thought, wherever the thought stands", () => {
  expect(first('{"n": 7} <think>or {"n": 9}?</think>')).toEqual({ n: 7 });
  expect(first('<thinking>{"n": 9}</thinking>\n{"n": 7}')).toEqual({ n: 7 });
  expect(first('{"n": 7}\n<think>or {"n": 9}')).toEqual({ n: 7 });
  // With nothing else, a thought is better than nothing; and a tag in a value is a value.
  expect(first('<think>{"n": 9}</think>')).toEqual({ n: 9 });
  expect(first('So: {"html": "<think>x</think>"} it is')).toEqual({ html: "<think>x</think>" });
});

it("takes the last of several values, and an empty one only where there is no other", () => {
  expect(jsonValues('{"a": 1} then {"a": 2}')).toEqual([{ a: 2 }, { a: 1 }]);
  expect(jsonValues('{"a": 1} and {}')).toEqual([{ a: 1 }, {}]);
  expect(jsonValues("neither {this} nor [that]")).toEqual([]);
});

it("never changes what is JSON already, among whatever words", () => {
  fc.assert(
    fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })), (value) => {
      const text = JSON.stringify(value);
      expect(first(text)).toEqual(JSON.parse(text));
      expect(jsonValues(`Here it is: ${text}`)).toContainEqual(JSON.parse(text));
    }),
  );
});
