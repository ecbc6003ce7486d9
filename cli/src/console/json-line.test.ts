import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonLine } from "./json-line.ts";

it("JSON says the same to a program, and steers no terminal", () => {
  expect(jsonLine(["\u009b2J", "\u202e", "\u{e0001}", "é\\"])).toBe(
    '["\\u009b2J","\\u202e","\\udb40\\udc01","é\\\\"]\n',
  );
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const line = jsonLine(value);
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(line).toMatch(/^[^\p{Cc}\p{Cf}]*\n$/u);
    }),
  );
});
